//! Everything that is tested from outside, as one binary.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

mod alarms;
mod bake;
mod beside_terraform;
mod by_hand;
mod cli_run;
mod cli_store;
mod cli_usage;
mod clobber;
mod console;
mod crash;
mod credentials;
mod disk;
mod exec;
mod exit_codes;
mod generated;
mod go_live;
mod journals;
mod kills;
mod ledger;
mod own_name_servers;
mod process;
mod propagation;
mod races;
mod rehearse;
mod serve;
mod shift;
mod signals;
mod stage;
mod tidy;
mod triggers;
mod two_operators;
mod veto;
mod weighted;
mod wire;
mod zombies;
