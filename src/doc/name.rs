//! What names look like.

/// The longest name.
const LONGEST: usize = 63;

/// `backend_image`: names that expressions use.
pub(super) fn is_word(name: &str) -> bool {
    fits(name, |c| c.is_ascii_alphanumeric() || c == '_')
}

/// `old-side-idle`: names of plans, steps, targets, groups and guards.
pub(super) fn is_name(name: &str) -> bool {
    fits(name, |c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

/// What an item of `each` may be called, in `deploy[eu-west-1]`.
pub(super) fn is_item(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.:@".contains(c);
    !name.is_empty() && name.len() <= LONGEST && name.chars().all(allowed)
}

fn fits(name: &str, allowed: impl Fn(char) -> bool) -> bool {
    name.len() <= LONGEST && name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(allowed)
}
