//! A whole world in memory: zones, services, tasks, load balancers, people, rules and faults, as functions of time.
//!
//! Not here: sockets, wall clocks, wire formats (those are `sandbox`), adapters. Only `ports` waits, and on a clock that
//! stands still until it is advanced.

mod answer;
mod app;
mod attribute;
mod balancer;
mod build;
mod calls;
mod capacity;
mod cell;
mod change;
mod common;
mod compute;
mod course;
mod deed;
mod derive;
mod fault;
mod file;
mod from_live;
mod health_check;
mod ledger;
mod logs;
mod metric;
mod named;
mod names;
mod permission;
mod ports;
mod resolver;
mod rule;
mod scaling;
mod schedule;
mod service_deployment;
mod situation;
mod standing;
mod stated;
mod strike;
mod users;
mod world;
mod write;
mod zone;

pub use answer::{Around, BALANCER_TTL, DELEGATION_TTL, Line, SOA_MINIMUM, SOA_TTL, Said, refer, say};
pub use app::Reply;
pub use balancer::{
    BALANCER_ZONE, Balancer, Check, Counts, Health, Hosts, Outcome, Target, TargetGroup, minute,
};
pub use calls::RunTask;
pub use capacity::CapacityFile;
pub use cell::{Cell, Program, Role};
pub use change::Verb;
pub use common::Common;
pub use compute::{
    Container, Definition, Deployment, Event, Phase, Refusal, Rollout, Service, Stopped, Task,
};
pub use deed::IMAGE_GONE;
pub use derive::{Derived, OneCommand, asker_name, derive};
pub use fault::{Calls, Fault, FaultKind, FaultRule, Faults, Met, NAMES};
pub use file::{
    App, AttributesFile, Behaviour, Breaker, Deed, ParameterFile, RecordFile, RuleFile, Span, StatedAnswer,
    StrategyFile, TrafficFile, WorldError, WorldFile,
};
pub use from_live::from_live;
pub use health_check::{CHECKERS, HealthCheckFile};
pub use ledger::{Armed, CallSeen, Landed, Ledger, STALE, UNKNOWN, Whose};
pub use logs::LogFile;
pub use metric::{Asked, Measured};
pub use permission::USER;
pub use ports::{Ports, VirtualClock};
pub use rule::{LISTENERS, ListenerRule};
pub use service_deployment::{REQUESTED, ServiceDeployment, Stage};
pub use stated::{AlarmFile, AlarmSeen, AlarmWord, MetricFile, QueryFile};
pub use strike::Strike;
pub use users::{Cache, ResolverKind, Tally, Trouble, UserFailure, Users};
pub use world::{NameServer, World};
pub use zone::{ChangeInfo, Records, SetKey, Zone, written};

#[cfg(test)]
mod tests;
