//! All faults and all laws.

use super::columns::Page;
use crate::rehearse::{Law, catalogue};
use crate::report::{Looks, Tone};

/// For people.
#[must_use]
pub fn catalogue_text(width: usize, looks: Looks) -> String {
    let page = Page::new(width, looks);
    let heading = |text: &str| looks.tint(Tone::Strong, text);
    let mut lines = vec![heading("faults: <call> is what is called, as in `dns.change.lost-answer`")];
    let faults = catalogue();
    let longest = faults.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, text) in &faults {
        lines.extend(page.paragraph(&format!("  {name:longest$}  "), text));
    }
    lines.extend([String::new(), heading("laws: what must hold whatever goes wrong")]);
    let longest = Law::ALL.iter().map(|law| super::stable(law).len()).max().unwrap_or(0);
    for law in Law::ALL {
        lines.extend(page.paragraph(&format!("  {:longest$}  ", super::stable(law)), law.text()));
    }
    lines.join("\n") + "\n"
}
