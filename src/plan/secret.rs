//! Where secrets may not stand: arguments of commands are seen by every user of a machine, and are kept by AWS.

use super::{Code, Fields, Template};

/// Reports arguments that name secrets.
pub fn refuse_secrets(fields: &mut Fields<'_>, name: &str, arguments: &[Template]) {
    let span = fields.span_of(name);
    for argument in arguments.iter().filter(|argument| argument.as_fixed().is_none()) {
        if argument.names().any(|path| path[0] == "secrets") {
            let message = format!("`{}` shows a secret to whoever lists processes", argument.source());
            fields.problems().error(Code("SW2002"), span, message).help("pass it by `env` or by `input`");
        }
    }
}
