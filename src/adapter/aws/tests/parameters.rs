//! Parameters on the wire: what is asked for, and what each answer means.

use super::*;
use crate::port::{Parameter, ReadParameters};
use serde_json::{Value as Json, json};

fn say(status: u16, body: &Json) -> Say {
    Say::Answer(status, vec![("content-type", "application/x-amz-json-1.1".into())], body.to_string().into())
}

async fn looked(script: Vec<Say>) -> (Result<Option<Parameter>, Fault>, Vec<Seen>) {
    let server = aws(script).await;
    let found = account(&wired(&server)).parameter("/aep/stop").await;
    (found, calls(&server))
}

fn kept(kind: &str, value: &str) -> Say {
    let parameter = json!({"Name": "/aep/stop", "Type": kind, "Value": value, "Version": 7,
        "LastModifiedDate": 1_800_000_000.5, "DataType": "text"});
    say(200, &json!({"Parameter": parameter}))
}

#[tokio::test]
async fn a_parameter_is_asked_for_by_its_name_and_not_decrypted() {
    let (found, asked) = looked(vec![kept("String", "true")]).await;
    assert_eq!(found, Ok(Some(Parameter::Text("true".into()))));
    let [call] = &asked[..] else { panic!("{asked:?}") };
    assert!(call.head.contains("x-amz-target: amazonssm.getparameter"), "{}", call.head);
    let body: Json = serde_json::from_str(&call.body).unwrap();
    assert_eq!(body, json!({"Name": "/aep/stop", "WithDecryption": false}));
    assert_eq!(looked(vec![kept("StringList", "a,b")]).await.0, Ok(Some(Parameter::Text("a,b".into()))));
    assert_eq!(looked(vec![kept("SecureString", "AQICAHg=")]).await.0, Ok(Some(Parameter::Secret)));
}

#[tokio::test]
async fn a_parameter_that_is_not_there_is_told_from_one_that_may_not_be_read() {
    let refused = |code: &str, body: Json| {
        let mut body = body;
        body["__type"] = code.into();
        say(400, &body)
    };
    // As AWS says it: without a word.
    assert_eq!(looked(vec![refused("ParameterNotFound", json!({}))]).await.0, Ok(None));
    let why = json!({"message": "why"});
    let (found, _) = looked(vec![refused("AccessDeniedException", why.clone())]).await;
    let words = ["ssm GetParameter of /aep/stop", "AccessDeniedException: why", "may not look"];
    is(&found.unwrap_err(), FaultKind::Blind, Landed::No, &words);
    let (found, asked) = looked(vec![refused("ThrottlingException", why), kept("String", "false")]).await;
    assert_eq!((found, asked.len()), (Ok(Some(Parameter::Text("false".into()))), 2));
}
