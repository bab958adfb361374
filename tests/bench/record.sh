#!/usr/bin/env bash
# One record change by hand: reads the record, replaces exactly what it read by the new name, waits until it is in sync.
#     record.sh ZONE_ID NAME TARGET
set -euo pipefail
zone=$1 name=$2 target=$3

old=$(aws route53 list-resource-record-sets --hosted-zone-id "$zone" --start-record-name "$name" \
  --start-record-type CNAME --max-items 1 --query 'ResourceRecordSets[0]' --output json)
new="{\"Name\": \"$name\", \"Type\": \"CNAME\", \"TTL\": 60, \"ResourceRecords\": [{\"Value\": \"$target\"}]}"
batch="{\"Changes\": [{\"Action\": \"DELETE\", \"ResourceRecordSet\": $old}, {\"Action\": \"CREATE\", \"ResourceRecordSet\": $new}]}"
change=$(aws route53 change-resource-record-sets --hosted-zone-id "$zone" --change-batch "$batch" \
  --query ChangeInfo.Id --output text)
aws route53 wait resource-record-sets-changed --id "$change"
