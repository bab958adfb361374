//! One name has one form, whatever text or labels it comes from.

use super::*;
use crate::tests::inputs;
use proptest::collection::vec;
use proptest::prelude::*;

/// Labels as the wire may have them, any bytes.
pub(crate) fn labels() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let usual = prop_oneof![b'a'..=b'z', Just(b'-'), Just(b'*'), Just(b'.'), Just(b'\\'), b'0'..=b'9'];
    let byte = prop_oneof![3 => usual, 1 => any::<u8>()];
    vec(vec(byte, 1..12), 0..6)
}

/// Any name.
pub(crate) fn names() -> impl Strategy<Value = Name> {
    labels().prop_map(|labels| Name::of_labels(labels.iter().map(Vec::as_slice)))
}

proptest! {
    #![proptest_config(inputs())]

    #[test]
    fn a_name_as_it_is_written_is_the_same_name(text in ".*", more in r"[a-zA-Z.\\\\0-9*+-]{0,20}") {
        for text in [text, more] {
            let name = Name::new(&text);
            prop_assert_eq!(&Name::new(name.as_str()), &name);
            prop_assert_eq!(&Name::new(&format!("{name}.")), &name, "with its dot");
            prop_assert_eq!(serde_json::from_value::<Name>(serde_json::to_value(&name).unwrap()).unwrap(), name);
        }
    }

    #[test]
    fn labels_are_what_they_were_but_for_case(labels in labels()) {
        let name = Name::of_labels(labels.iter().map(Vec::as_slice));
        let lower: Vec<Vec<u8>> = labels.iter().map(|label| label.to_ascii_lowercase()).collect();
        prop_assert_eq!(name.labels().collect::<Vec<_>>(), lower);
        prop_assert_eq!(&Name::new(name.as_str()), &name);
    }

    #[test]
    fn what_is_put_into_a_zone_is_within_it(name in names(), zone in names()) {
        let whole = Name::within(name.as_str(), &zone);
        prop_assert!(whole.is_within(&zone), "{whole} in {zone}");
    }
}

#[test]
fn what_looks_alike_is_not_one_name() {
    assert_ne!(
        Name::new(r"a\056b.example.com"),
        Name::new("a.b.example.com"),
        "a dot within a label ends none"
    );
    assert_eq!(Name::new(r"\052.Example.com."), Name::new("*.example.com"));
    assert_eq!(Name::new(r"\101.example.com"), Name::new("a.example.com"));
    assert_eq!(Name::new(r"\+12.x").labels().next().unwrap(), br"\+12", "a sign is no digit");
    assert_eq!(Name::new("ł.x").to_string(), r"\305\202.x", "and two bytes are not another letter");
    assert!(!Name::new("badexample.com").is_within(&Name::new("example.com")));
}
