//! What a journal names. All that is known of a plan which cannot be read.

use serde_json::Value as Json;

/// The steps and guards of a journal, in the order in which it comes upon them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// Steps.
    pub steps: Vec<String>,
    /// Guards.
    pub guards: Vec<String>,
}

impl Named {
    /// Takes the next event. One that cannot be read names nothing.
    pub fn take(&mut self, body: &str) {
        if let Ok(body) = serde_json::from_str(body) {
            self.walk(&body);
        }
    }

    /// Records name steps and guards by these keys, and nothing else.
    fn walk(&mut self, value: &Json) {
        let Json::Object(fields) = value else { return };
        for (key, value) in fields {
            let names = match key.as_str() {
                "step" => &mut self.steps,
                "guard" => &mut self.guards,
                _ => {
                    self.walk(value);
                    continue;
                }
            };
            if let Some(name) = value.as_str()
                && !names.iter().any(|known| known == name)
            {
                names.push(name.to_owned());
            }
        }
    }
}
