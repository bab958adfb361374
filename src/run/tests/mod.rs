//! What the machine promises, tried out: tables of stories, and random plans under random crashes.
//!
//! | file | what it would catch |
//! |---|---|
//! | `random` | undoing only what is done; a write without its intent; a lost call repeated blindly; an undo over somebody else's change; state that is not the fold of the journal; a run that never ends |

mod build;
mod host;
mod plans;
mod random;
mod stories;
mod stories_back;
mod stories_people;
mod story;
mod world;
