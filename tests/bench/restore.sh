#!/usr/bin/env bash
# A go-live as scripts carry it out: switches a record, asks every PERIOD seconds, and after so many failures in a row puts
# back what was there, and waits until that is in sync. Says when.
#     restore.sh ZONE_ID NAME TARGET TTL PERIOD FAILURES RESOLVER PORT
# RESOLVER is what `dig` takes, and PORT stands for 80.
set -euo pipefail
zone=$1 name=$2 target=$3 ttl=$4 period=$5 most=$6 resolver=$7 port=$8

say() { printf '%s %s\n' "$1" "$EPOCHREALTIME"; }

put() {
  aws route53 change-resource-record-sets --hosted-zone-id "$zone" --query ChangeInfo.Id --output text \
    --change-batch "{\"Changes\": [{\"Action\": \"UPSERT\", \"ResourceRecordSet\": $1}]}"
}

answers() {
  local address
  # shellcheck disable=SC2086
  address=$(dig +short $resolver "$name" A | tail -n 1) &&
    curl --silent --fail --max-time 5 --output /dev/null --connect-to "$name:80:$address:$port" "http://$name/"
}

old=$(aws route53 list-resource-record-sets --hosted-zone-id "$zone" --start-record-name "$name" \
  --start-record-type CNAME --max-items 1 --query 'ResourceRecordSets[0]' --output json)
put "{\"Name\": \"$name\", \"Type\": \"CNAME\", \"TTL\": $ttl, \"ResourceRecords\": [{\"Value\": \"$target\"}]}" >/dev/null
say switched

failures=0
while [ "$failures" -lt "$most" ]; do
  sleep "$period"
  if answers; then failures=0; else failures=$((failures + 1)); fi
done
say seen
change=$(put "$old")
say undone
aws route53 wait resource-record-sets-changed --id "$change"
say known
