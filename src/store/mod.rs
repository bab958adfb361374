//! Where runs are kept: their plans, their journals, orders from other terminals, leases, and locks on what they write.
//!
//! Nothing is decided here. A journal is only ever added to, by the one process that holds the run's lease, and each
//! event carries a hash over the one before it. Not here: what an event means (`run`), when to write one (`driver`).

mod chain;
mod error;
mod exported;
mod faults;
mod listed;
mod owner;
pub mod record;
mod runs;
mod sqlite;
mod traits;

pub use error::StoreError;
pub use exported::{Exported, NotExported};
pub use faults::Faults;
pub use listed::{Listed, Told};
pub use owner::Owner;
pub use runs::{NewRun, RunId, RunRecord, Source, digest, digest_of};
pub use sqlite::SqliteStore;
#[cfg(test)]
pub(crate) use traits::OpenCalls;
pub use traits::{
    Barred, Entry, Epoch, Holder, Lease, OrderEntry, Recorded, Seq, Store, Stored, Takeover, Verified,
    events, find, give_order, open_until, orders_after, recorded,
};

#[cfg(test)]
mod tests;
