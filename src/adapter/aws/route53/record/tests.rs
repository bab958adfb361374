//! Whatever Route 53 lists goes back exactly so: a delete that names less, or more, deletes nothing.

use super::*;
use crate::port::dns::tests::names;
use crate::tests::inputs;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

/// What a set may have besides.
fn extra() -> impl Strategy<Value = BTreeMap<String, String>> {
    let words = [
        "SetIdentifier",
        "Region",
        "HealthCheckId",
        "TrafficPolicyInstanceId",
        "GeoLocation.ContinentCode",
        "GeoLocation.CountryCode",
        "GeoLocation.SubdivisionCode",
        "GeoProximityLocation.AWSRegion",
        "GeoProximityLocation.LocalZoneGroup",
    ];
    let numbers = (option::of(0..=255i64), option::of(-99..=99i32), option::of(any::<bool>()));
    let pairs = (option::of(("[a-z]{1,8}", "[a-z]{1,8}")), option::of(("-?[0-9]{1,2}", "-?[0-9]{1,3}")));
    let failover = option::of(select(vec!["PRIMARY", "SECONDARY"]));
    (btree_map(select(words.to_vec()), ".{0,12}", 0..5), numbers, pairs, failover).prop_map(
        |(words, (weight, bias, multi), (cidr, at), failover)| {
            let mut extra: BTreeMap<String, String> =
                words.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
            let mut keep = |key: &str, value: Option<String>| {
                extra.extend(value.map(|value| (key.to_owned(), value)));
            };
            keep("Weight", weight.map(|weight| weight.to_string()));
            keep("GeoProximityLocation.Bias", bias.map(|bias| bias.to_string()));
            keep("MultiValueAnswer", multi.map(|multi| multi.to_string()));
            keep("Failover", failover.map(str::to_owned));
            if let Some((collection, location)) = cidr {
                keep("CidrRoutingConfig.CollectionId", Some(collection));
                keep("CidrRoutingConfig.LocationName", Some(location));
            }
            if let Some((latitude, longitude)) = at {
                keep("GeoProximityLocation.Latitude", Some(latitude));
                keep("GeoProximityLocation.Longitude", Some(longitude));
            }
            extra
        },
    )
}

fn sets() -> impl Strategy<Value = RecordSet> {
    let alias = (names(), "[A-Z0-9]{1,14}", any::<bool>());
    let alias = alias.prop_map(|(name, zone_id, evaluate_health)| Alias { name, zone_id, evaluate_health });
    let kind = select(vec!["A", "AAAA", "CNAME", "HTTPS", "TXT", "MX", "NEW"]);
    let ttl = option::of(0..=u32::MAX);
    (names(), kind, ttl, vec(".{0,20}", 0..4), option::of(alias), extra()).prop_map(
        |(name, kind, ttl, values, alias, extra)| {
            let kind = RecordType(kind.to_owned());
            RecordSet { name, kind, ttl, values, alias, extra }
        },
    )
}

proptest! {
    #![proptest_config(inputs())]

    #[test]
    fn what_is_listed_is_what_is_sent(set in sets()) {
        let sent = sent(&set).unwrap();
        prop_assert_eq!(listed(sent).unwrap(), set);
    }

    #[test]
    fn a_field_that_nobody_knows_is_never_dropped(set in sets(), key in "[A-Za-z.]{1,12}") {
        let mut more = set.clone();
        more.extra.insert(key.clone(), "1".into());
        // It is known after all, or all is refused.
        if let Ok(sent) = sent(&more) {
            prop_assert_eq!(listed(sent).unwrap(), more, "{}", key);
        }
    }
}
