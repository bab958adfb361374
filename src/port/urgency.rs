//! What a call is for, and so whom it may keep waiting.

/// What a call is for, the least urgent first. Where calls are limited, each leaves room for those that matter more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Urgency {
    /// Looking how it goes, or what would be done. It waits for all the others.
    #[default]
    Watching,
    /// Going forward: what a step looks at, and writes, to make its change.
    Changing,
    /// Finding out whether a call in doubt was carried out, or whether an undo is through.
    Settling,
    /// Undoing. It waits for nobody.
    Undoing,
}
