//! Keeps secrets out of the journal and off the screen, also in the forms that they take on their way.
//!
//! Not here: where secrets come from.

use crate::run::{Answer, Difference, Fault, Look, Memo, Proposal, Told};
use serde_json::Value as Json;
use std::{borrow::Cow, sync::Arc};

/// What stands in place of a secret.
const MASK: &str = "[secret]";

/// Shorter values would hide ordinary text, and are no secrets.
const SHORTEST: usize = 4;

/// Knows every secret value of a run.
#[derive(Clone, Default)]
pub struct Redactor {
    /// The longest first, so that no part of one is left.
    forms: Arc<[String]>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redactor of {} forms", self.forms.len())
    }
}

impl Redactor {
    /// Hides these values.
    pub fn new<S: AsRef<str>>(secrets: impl IntoIterator<Item = S>) -> Self {
        let mut forms: Vec<String> = Vec::new();
        for secret in secrets {
            let whole = secret.as_ref();
            let parts = whole.lines().chain([whole, whole.trim()]);
            for secret in parts.filter(|part| part.len() >= SHORTEST) {
                let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
                let quoted = Json::from(secret).to_string();
                let (standard, url_safe) = (base64(secret, *b"+/"), base64(secret, *b"-_"));
                forms.extend([
                    secret.to_owned(),
                    encoded.replace('+', "%20"),
                    encoded.to_ascii_lowercase(),
                    encoded,
                    quoted[1..quoted.len() - 1].to_owned(),
                    standard.trim_end_matches('=').to_owned(),
                    url_safe.trim_end_matches('=').to_owned(),
                ]);
            }
        }
        forms.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
        Self { forms: forms.into() }
    }

    /// The text without secrets.
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.forms.iter().fold(Cow::Borrowed(text), |text, form| {
            if text.contains(form.as_str()) { Cow::Owned(text.replace(form, MASK)) } else { text }
        })
    }

    /// Whether there is a secret in it.
    #[must_use]
    pub fn finds(&self, text: &str) -> bool {
        self.forms.iter().any(|form| text.contains(form.as_str()))
    }

    fn shared(&self, text: &Arc<str>) -> Arc<str> {
        match self.text(text) {
            Cow::Borrowed(_) => text.clone(),
            Cow::Owned(text) => text.into(),
        }
    }

    /// JSON stays JSON.
    pub(super) fn memo(&self, memo: &Memo) -> Memo {
        if !self.finds(memo) {
            return memo.clone();
        }
        match serde_json::from_str::<Json>(memo) {
            Ok(json) => self.json(json).to_string().into(),
            Err(_) => self.shared(memo),
        }
    }

    fn json(&self, json: Json) -> Json {
        match json {
            Json::String(text) => self.text(&text).into_owned().into(),
            Json::Number(number) if self.finds(&number.to_string()) => MASK.into(),
            Json::Array(items) => items.into_iter().map(|item| self.json(item)).collect(),
            Json::Object(entries) => {
                let entry = |(key, value): (String, Json)| (self.text(&key).into_owned(), self.json(value));
                Json::Object(entries.into_iter().map(entry).collect())
            }
            other => other,
        }
    }

    /// What went wrong, without secrets.
    #[must_use]
    pub fn fault(&self, fault: &Fault) -> Fault {
        Fault { message: self.shared(&fault.message), ..fault.clone() }
    }

    /// What may be shown of what a preview tells.
    #[must_use]
    pub fn told(&self, told: &Told) -> Told {
        let shared = |text: &Option<Arc<str>>| text.as_ref().map(|text| self.shared(text));
        let difference = |difference: &Difference| Difference {
            field: self.shared(&difference.field),
            from: shared(&difference.from),
            to: shared(&difference.to),
        };
        Told {
            differences: told.differences.iter().map(difference).collect(),
            notes: told.notes.iter().map(|note| self.shared(note)).collect(),
        }
    }

    /// An answer that may be recorded. What an undo restores is never altered: if it holds a secret, the step fails
    /// before it writes anything.
    #[must_use]
    pub fn answer(&self, answer: Answer) -> Answer {
        match answer {
            Answer::Planned(Ok(Some(proposal))) => Answer::Planned(self.proposal(proposal).map(Some)),
            Answer::Planned(Ok(None)) => Answer::Planned(Ok(None)),
            Answer::Planned(Err(fault)) => Answer::Planned(Err(self.fault(&fault))),
            Answer::Applied(result) => Answer::Applied(match result {
                Ok(note) => Ok(note.map(|note| self.memo(&note))),
                Err(fault) => Err(self.fault(&fault)),
            }),
            Answer::Looked(result) => Answer::Looked(match result {
                Ok(look) => Ok(self.look(look)),
                Err(fault) => Err(self.fault(&fault)),
            }),
            Answer::Undone(result) => Answer::Undone(match result {
                Ok(note) => Ok(note.map(|note| self.memo(&note))),
                Err(fault) => Err(self.fault(&fault)),
            }),
        }
    }

    fn proposal(&self, proposal: Proposal) -> Result<Proposal, Fault> {
        if self.finds(&proposal.prior) {
            return Err(Fault::permanent(
                "what is there now holds a secret of this plan, so it cannot be recorded for the undo",
            ));
        }
        let change = |change: &crate::run::Change| crate::run::Change {
            what: self.shared(&change.what),
            from: self.shared(&change.from),
            to: self.shared(&change.to),
        };
        let changes = proposal.changes.iter().map(change).collect();
        Ok(Proposal { changes, ..proposal })
    }

    fn look(&self, look: Look) -> Look {
        match look {
            Look::Moving { note, again } => Look::Moving { note: note.map(|note| self.memo(&note)), again },
            Look::Desired { out } => Look::Desired { out: self.memo(&out) },
            Look::Prior => Look::Prior,
            Look::Assumed => Look::Assumed,
        }
    }
}

/// Base64 with the two last letters of an alphabet.
fn base64(text: &str, last: [u8; 2]) -> String {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let letter = |six: u32| {
        let six = (six & 63) as usize;
        char::from(if six < 62 { LETTERS[six] } else { last[six - 62] })
    };
    let mut out = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bytes = [chunk[0], chunk.get(1).copied().unwrap_or(0), chunk.get(2).copied().unwrap_or(0)];
        let bits = u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]);
        for place in 0..4 {
            if place <= chunk.len() {
                out.push(letter(bits >> (18 - 6 * place)));
            } else {
                out.push('=');
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::time::Duration;

    const SECRET: &str = "p&ss wörd/\"1\"";

    #[test]
    fn every_form_is_hidden() {
        let redactor = Redactor::new([SECRET, "", "abc"]);
        for form in [
            SECRET.to_owned(),
            "p%26ss+w%C3%B6rd%2F%221%22".into(),
            "p%26ss%20w%C3%B6rd%2F%221%22".into(),
            "p%26ss+w%c3%b6rd%2f%221%22".into(),
            json!({ "a": SECRET }).to_string(),
            "cCZzcyB3w7ZyZC8iMSI=".into(),
            "cCZzcyB3w7ZyZC8iMSI".into(),
        ] {
            let shown = redactor.text(&form).into_owned();
            assert!(shown.contains(MASK) && !shown.contains("rd"), "{form}: {shown}");
        }
        assert_eq!(redactor.text("abc p&ss"), "abc p&ss");
    }

    #[test]
    fn base64_is_base64() {
        for (text, encoded) in [("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            assert_eq!(base64(text, *b"+/"), encoded);
        }
        assert_eq!(base64("??>>", *b"-_"), "Pz8-Pg==");
    }

    #[test]
    fn what_is_recorded_stays_json() {
        let redactor = Redactor::new(["12345", "token"]);
        let out: Memo = json!({"n": 12345, "token": ["a token", 1]}).to_string().into();
        let Answer::Looked(Ok(Look::Desired { out })) =
            redactor.answer(Answer::Looked(Ok(Look::Desired { out })))
        else {
            unreachable!()
        };
        let read: Json = serde_json::from_str(&out).unwrap();
        assert_eq!(read, json!({"n": "[secret]", "[secret]": ["a [secret]", 1]}));
    }

    #[test]
    fn a_prior_with_a_secret_is_never_recorded() {
        let redactor = Redactor::new(["hunter22"]);
        let proposal = Proposal {
            prior: json!({"env": "hunter22"}).to_string().into(),
            stages: 1,
            within: Duration::from_secs(1),
            call: None,
            must_finish: false,
            changes: Vec::new(),
        };
        let answer = redactor.answer(Answer::Planned(Ok(Some(proposal))));
        assert!(matches!(answer, Answer::Planned(Err(_))), "{answer:?}");
        let fault = redactor.fault(&Fault::lost("Bearer hunter22 was refused"));
        assert_eq!(&*fault.message, "Bearer [secret] was refused");
    }
}
