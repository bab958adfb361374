//! Everything an action is given.

use super::{
    Clock, ReadCompute, ReadDns, ReadFiles, ReadHttp, ReadMetrics, ReadParameters, ReadPermissions,
    ReadProcess, ReadQueries, ReadTraffic, Urgency, WriteCompute, WriteDns, WriteHttp, WriteProcess,
    WriteTraffic,
};
use crate::mutant::{Mistake, on};
use crate::plan::{Scope, Timestamp};
use crate::run::Fault;
use std::sync::Arc;

/// Connections by the names that a plan gives them, for looking only.
pub trait ReadWorld: Send + Sync {
    /// Time.
    fn clock(&self) -> &dyn Clock;
    /// A target of kind `route53` or `rfc2136`.
    ///
    /// # Errors
    /// The plan has no such target, or it cannot be reached.
    fn dns(&self, target: &str) -> Result<Arc<dyn ReadDns>, Fault>;
    /// A target of kind `aws`.
    ///
    /// # Errors
    /// As [`ReadWorld::dns`].
    fn compute(&self, target: &str) -> Result<Arc<dyn ReadCompute>, Fault>;
    /// A target of kind `aws`.
    ///
    /// # Errors
    /// As [`ReadWorld::dns`].
    fn traffic(&self, target: &str) -> Result<Arc<dyn ReadTraffic>, Fault>;
    /// A target of kind `aws`.
    ///
    /// # Errors
    /// As [`ReadWorld::dns`].
    fn metrics(&self, target: &str) -> Result<Arc<dyn ReadMetrics>, Fault>;
    /// A target of kind `aws`.
    ///
    /// # Errors
    /// As [`ReadWorld::dns`].
    fn parameters(&self, target: &str) -> Result<Arc<dyn ReadParameters>, Fault>;
    /// A target of kind `aws`.
    ///
    /// # Errors
    /// As [`ReadWorld::dns`].
    fn permissions(&self, target: &str) -> Result<Arc<dyn ReadPermissions>, Fault>;
    /// A target of kind `prometheus`.
    ///
    /// # Errors
    /// As [`ReadWorld::dns`].
    fn queries(&self, target: &str) -> Result<Arc<dyn ReadQueries>, Fault>;
    /// Files beside the plan.
    fn files(&self) -> &dyn ReadFiles;
    /// Requests that change nothing.
    fn http(&self) -> &dyn ReadHttp;
    /// Commands that change nothing.
    fn process(&self) -> &dyn ReadProcess;
}

/// The same, for changing too. The account of a target is asserted before its first write.
pub trait WriteWorld: ReadWorld {
    /// A target of kind `route53` or `rfc2136`; sends nothing after `until`, also when it tries a throttled call again.
    /// Use [`Writes::dns`].
    ///
    /// # Errors
    /// As [`ReadWorld::dns`].
    fn change_dns(&self, target: &str, until: Timestamp) -> Result<Arc<dyn WriteDns>, Fault>;
    /// A target of kind `aws`; sends nothing after `until`, also when it tries a throttled call again.
    /// Use [`Writes::compute`].
    ///
    /// # Errors
    /// As [`ReadWorld::dns`].
    fn change_compute(&self, target: &str, until: Timestamp) -> Result<Arc<dyn WriteCompute>, Fault>;
    /// A target of kind `aws`; sends nothing after `until`, also when it tries a throttled call again.
    /// Use [`Writes::traffic`].
    ///
    /// # Errors
    /// As [`ReadWorld::dns`].
    fn change_traffic(&self, target: &str, until: Timestamp) -> Result<Arc<dyn WriteTraffic>, Fault>;
    /// Requests that change something.
    fn send_http(&self) -> &dyn WriteHttp;
    /// Commands that change something.
    fn run_process(&self) -> &dyn WriteProcess;
    /// The same world, for looking.
    fn as_reads(&self) -> &dyn ReadWorld;
    /// The same world, for calls that are so urgent. Until it is said they are for watching.
    fn serving(self: Arc<Self>, urgency: Urgency) -> Arc<dyn WriteWorld>;
}

/// What `plan` and `look` are given: they cannot write.
#[derive(Clone, Copy)]
pub struct Reads<'a> {
    /// Connections.
    pub world: &'a dyn ReadWorld,
    /// Names this step of this run, and no other: in ASCII, without spaces or slashes. Empty where no run is.
    pub step: &'a str,
    /// What holes in the step's text may name.
    pub scope: &'a Scope,
    /// Says how it goes, for whoever is watching now; not recorded. If the time of a look runs out, what was said
    /// last is part of the fault: it names what is still missing.
    pub progress: &'a (dyn Fn(&str) + Send + Sync),
}

/// What `apply` and `undo` are given.
#[derive(Clone, Copy)]
pub struct Writes<'a> {
    /// Connections.
    pub world: &'a dyn WriteWorld,
    /// As [`Reads::step`].
    pub step: &'a str,
    /// What holes in the step's text may name.
    pub scope: &'a Scope,
    /// Says how it goes, for whoever is watching now; not recorded.
    pub progress: &'a (dyn Fn(&str) + Send + Sync),
    /// Names this call and its repetitions, and no other: for APIs that take a client token. At most 36 ASCII characters.
    pub token: &'a str,
    /// No write may be sent after this moment: whoever takes the run over waits until then before looking.
    pub until: Timestamp,
    /// Whether the run wants this call to end early. Only commands listen to it.
    pub stop: &'a Stop,
}

impl<'a> Writes<'a> {
    /// For looking only.
    #[must_use]
    pub fn reads(&self) -> Reads<'a> {
        Reads { world: self.world.as_reads(), step: self.step, scope: self.scope, progress: self.progress }
    }

    /// A target of kind `route53` or `rfc2136`, within the deadline of the intent.
    ///
    /// # Errors
    /// As [`ReadWorld::dns`].
    pub fn dns(&self, target: &str) -> Result<Arc<dyn WriteDns>, Fault> {
        self.world.change_dns(target, self.until)
    }

    /// A target of kind `aws`, within the deadline of the intent.
    ///
    /// # Errors
    /// As [`ReadWorld::dns`].
    pub fn compute(&self, target: &str) -> Result<Arc<dyn WriteCompute>, Fault> {
        self.world.change_compute(target, self.until)
    }

    /// A target of kind `aws`, within the deadline of the intent.
    ///
    /// # Errors
    /// As [`ReadWorld::dns`].
    pub fn traffic(&self, target: &str) -> Result<Arc<dyn WriteTraffic>, Fault> {
        self.world.change_traffic(target, self.until)
    }

    /// Refuses to go on once the deadline of the intent has passed.
    ///
    /// # Errors
    /// It has: nothing was sent.
    pub fn in_time(&self) -> Result<(), Fault> {
        if self.world.clock().now() < self.until || on(Mistake::SentTooLate) {
            return Ok(());
        }
        // Time alone is no failure: this machine was asleep, or too busy.
        Err(Fault::blind("the deadline of this call passed before it was sent"))
    }
}

/// Tells a call under way that it should end.
#[derive(Clone, Debug, Default)]
pub struct Stop(tokio_util::sync::CancellationToken);

impl Stop {
    /// Asks it to end.
    pub fn ask(&self) {
        self.0.cancel();
    }
    /// Whether it was asked.
    #[must_use]
    pub fn asked(&self) -> bool {
        self.0.is_cancelled()
    }
    /// Waits until it is asked.
    pub async fn wait(&self) {
        self.0.cancelled().await;
    }
}
