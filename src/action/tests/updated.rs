//! Records of a zone on a primary server: what it cannot have, and what people type for it.

use super::*;

#[test]
fn a_zone_on_a_primary_server_has_no_aliases() {
    let to = |to: Json| codes("dns.switch", &json!({"target": "updated", "record": "app", "to": to}));
    assert_eq!(to(json!({"load_balancer": "new", "in": "prod"})), ["SW2006"]);
    assert_eq!(to(json!({"alias": "new.elb.example", "zone_id": "Z2"})), ["SW2006"]);
    assert_eq!(to(json!({"cname": "new.elb.example"})), [""; 0]);
}

#[test]
fn what_people_type_is_one_update_that_requires_what_it_takes_away() {
    let with = json!({"target": "updated", "record": "app", "to": {"a": ["10.1.1.1"], "ttl": "30s"}});
    let (value, known, mut problems) = (value(&with), known(), Problems::default());
    let action = Registry.build("dns.switch", &mut Fields::new(&value, &known, &mut problems)).unwrap();
    let by_hand = action.by_hand();
    assert_eq!(
        by_hand.apply[0],
        "dig @ns1.example.com -p 5353 -k \"$KEY_FILE\" +norecurse +tcp +noall +answer app.example.com ANY   \
         # keep this: the undo needs it"
    );
    assert_eq!(
        by_hand.undo[0],
        "printf '%s\\n' 'server ns1.example.com 5353' 'zone example.com.' 'prereq yxrrset app.example.com. A 10.1.1.1' \
         'update delete app.example.com. A' 'update add app.example.com. <TTL> <type> <value as listed>' send \
         | nsupdate -k \"$KEY_FILE\""
    );
    assert!(by_hand.undo[1].ends_with("KEY_FILE has the key `switchover` as `tsig-keygen` prints it"));
}
