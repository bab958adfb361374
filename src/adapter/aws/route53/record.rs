//! Record sets, between Route 53's words and ours: every field that is listed goes back exactly as it was.

use crate::port::dns::{Alias, Name, RecordSet, RecordType};
use crate::run::Fault;
use aws_sdk_route53::types::{
    AliasTarget, CidrRoutingConfig, Coordinates, GeoLocation, GeoProximityLocation, ResourceRecord,
    ResourceRecordSet,
};
use std::collections::BTreeMap;
use std::str::FromStr;

/// A set as listed.
pub(super) fn listed(set: ResourceRecordSet) -> Result<RecordSet, Fault> {
    let ttl = set.ttl.map(u32::try_from).transpose();
    let ttl = ttl.map_err(|_| Fault::permanent(format!("{} has a TTL that nobody can serve", set.name)))?;
    let mut extra = BTreeMap::new();
    let mut keep =
        |key: &str, value: Option<String>| drop(value.map(|value| extra.insert(key.to_owned(), value)));
    keep("SetIdentifier", set.set_identifier);
    keep("Weight", set.weight.map(|weight| weight.to_string()));
    keep("Region", set.region.map(|region| region.as_str().to_owned()));
    keep("Failover", set.failover.map(|failover| failover.as_str().to_owned()));
    keep("MultiValueAnswer", set.multi_value_answer.map(|yes| yes.to_string()));
    keep("HealthCheckId", set.health_check_id);
    keep("TrafficPolicyInstanceId", set.traffic_policy_instance_id);
    if let Some(geo) = set.geo_location {
        keep("GeoLocation.ContinentCode", geo.continent_code);
        keep("GeoLocation.CountryCode", geo.country_code);
        keep("GeoLocation.SubdivisionCode", geo.subdivision_code);
    }
    if let Some(cidr) = set.cidr_routing_config {
        keep("CidrRoutingConfig.CollectionId", Some(cidr.collection_id));
        keep("CidrRoutingConfig.LocationName", Some(cidr.location_name));
    }
    if let Some(near) = set.geo_proximity_location {
        keep("GeoProximityLocation.AWSRegion", near.aws_region);
        keep("GeoProximityLocation.LocalZoneGroup", near.local_zone_group);
        keep("GeoProximityLocation.Bias", near.bias.map(|bias| bias.to_string()));
        if let Some(at) = near.coordinates {
            keep("GeoProximityLocation.Latitude", Some(at.latitude));
            keep("GeoProximityLocation.Longitude", Some(at.longitude));
        }
    }
    Ok(RecordSet {
        name: Name::new(&set.name),
        kind: RecordType(set.r#type.as_str().to_owned()),
        ttl,
        values: set.resource_records.unwrap_or_default().into_iter().map(|record| record.value).collect(),
        alias: set.alias_target.map(|alias| Alias {
            name: Name::new(&alias.dns_name),
            zone_id: alias.hosted_zone_id,
            evaluate_health: alias.evaluate_target_health,
        }),
        extra,
    })
}

/// A set as it is sent. A field that is not known here is refused, never dropped.
pub(super) fn sent(set: &RecordSet) -> Result<ResourceRecordSet, Fault> {
    let unsound = |what: String| Fault::permanent(format!("record {} {}: {what}", set.name, set.kind.0));
    let mut left = set.extra.clone();
    let mut take = |key: &str| left.remove(key);
    let mut out = ResourceRecordSet::builder()
        .name(full(&set.name))
        .r#type(set.kind.0.as_str().into())
        .set_ttl(set.ttl.map(i64::from))
        .set_set_identifier(take("SetIdentifier"))
        .set_weight(number(take("Weight")).map_err(&unsound)?)
        .set_region(take("Region").map(|region| region.as_str().into()))
        .set_failover(take("Failover").map(|failover| failover.as_str().into()))
        .set_multi_value_answer(number(take("MultiValueAnswer")).map_err(&unsound)?)
        .set_health_check_id(take("HealthCheckId"))
        .set_traffic_policy_instance_id(take("TrafficPolicyInstanceId"));
    for value in &set.values {
        let record = ResourceRecord::builder().value(value).build();
        out = out.resource_records(record.map_err(|error| unsound(error.to_string()))?);
    }
    if let Some(alias) = &set.alias {
        let target = AliasTarget::builder()
            .dns_name(full(&alias.name))
            .hosted_zone_id(&alias.zone_id)
            .evaluate_target_health(alias.evaluate_health);
        out = out.alias_target(target.build().map_err(|error| unsound(error.to_string()))?);
    }
    let geo =
        ["ContinentCode", "CountryCode", "SubdivisionCode"].map(|key| take(&format!("GeoLocation.{key}")));
    if geo.iter().any(Option::is_some) {
        let [continent, country, subdivision] = geo;
        out = out.geo_location(
            GeoLocation::builder()
                .set_continent_code(continent)
                .set_country_code(country)
                .set_subdivision_code(subdivision)
                .build(),
        );
    }
    if let (Some(collection), Some(location)) =
        (take("CidrRoutingConfig.CollectionId"), take("CidrRoutingConfig.LocationName"))
    {
        let cidr = CidrRoutingConfig::builder().collection_id(collection).location_name(location);
        out = out.cidr_routing_config(cidr.build().map_err(|error| unsound(error.to_string()))?);
    }
    let near = ["AWSRegion", "LocalZoneGroup", "Bias", "Latitude", "Longitude"]
        .map(|key| take(&format!("GeoProximityLocation.{key}")));
    if near.iter().any(Option::is_some) {
        let [region, group, bias, latitude, longitude] = near;
        let mut near = GeoProximityLocation::builder()
            .set_aws_region(region)
            .set_local_zone_group(group)
            .set_bias(number(bias).map_err(&unsound)?);
        if let (Some(latitude), Some(longitude)) = (latitude, longitude) {
            let at = Coordinates::builder().latitude(latitude).longitude(longitude);
            near = near.coordinates(at.build().map_err(|error| unsound(error.to_string()))?);
        }
        out = out.geo_proximity_location(near.build());
    }
    if let Some(key) = left.keys().next() {
        return Err(unsound(format!("its field `{key}` cannot be sent by this version, so nothing is")));
    }
    out.build().map_err(|error| unsound(error.to_string()))
}

/// A name as Route 53 lists it: with the dot at its end.
pub(super) fn full(name: &Name) -> String {
    format!("{name}.")
}

fn number<T: FromStr>(text: Option<String>) -> Result<Option<T>, String> {
    text.map(|text| text.parse().map_err(|_| format!("`{text}` is not a value that can be sent"))).transpose()
}

#[cfg(test)]
mod tests;
