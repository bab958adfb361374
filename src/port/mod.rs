//! What the core asks of the world, in our words. Named by capability; adapters are named by vendor.
//!
//! Reading and writing are different types: whoever is given [`Reads`] cannot change anything, by construction.
//! Not here: vendors, sockets, the wall clock, processes.

mod attribute;
pub mod binding;
mod budget;
mod capacity;
mod clock;
mod compute;
pub mod dns;
pub mod expected;
mod files;
mod http;
mod image;
mod inventory;
mod logs;
mod metrics;
mod named;
pub mod need;
mod parameters;
mod permission;
mod process;
mod query;
mod service_deployment;
pub mod stated;
pub mod switched;
mod together;
mod traffic;
mod urgency;
mod wiring;
mod world;

pub use attribute::{Attribute, Attributes, Owner};
pub use budget::Budget;
pub use capacity::{CapacityProvider, Placement};
pub use clock::{Clock, told_apart};
pub use compute::{
    Container, Deployment, POLL, ReadCompute, Rollout, RunTask, Scaling, Service, SetScaling, Task,
    TaskContainer, TaskDefinition, TaskFilter, UpdateService, WriteCompute,
};
pub use dns::{AskResolver, ReadDns, WriteDns};
pub use files::ReadFiles;
pub use http::{Endpoint, ReadHttp, Request, Response, WriteHttp};
pub use image::{Image, Pick, Pull};
pub use inventory::{Caller, ListedBalancer, ListedZone, ReadInventory};
pub use logs::{Lines, LogQuery, LogStream};
pub use metrics::{Alarm, AlarmState, Formula, Metric, Point, ReadMetrics, Series};
pub use named::{Named, Presence};
pub use parameters::{Parameter, ReadParameters};
pub use permission::{
    Asked, Denier, Judged, Needed, ReadPermissions, Renewal, Ruling, Thing, call_of, global_region,
    needed_for, operations, partition, services,
};
pub use process::{Call, Command, Output, ReadProcess, StopSignal, StopWith, WriteProcess};
pub use query::{Answered, Grid, Line, Query, ReadQueries};
pub use service_deployment::{
    DeploymentFilter, DeploymentStatus, GivesUp, Hook, HookSeen, Monitors, ServiceDeployment, Shift,
    Strategy, StrategyKind,
};
pub use together::together;
pub use traffic::{
    Does, Forward, Listener, LoadBalancer, ReadTraffic, Rule, RuleAction, Share, TargetHealth, WriteTraffic,
};
pub use urgency::Urgency;
pub use wiring::{Person, Wiring, WorldTime};
pub use world::{ReadWorld, Reads, Stop, WriteWorld, Writes};
