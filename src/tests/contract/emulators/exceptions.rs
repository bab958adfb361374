//! What emulators do otherwise than AWS. A row is a fault of theirs, never one of ours, and says what AWS does instead. And
//! what they are not asked at all, with the reason.

use super::server::Emulator::{self, Ministack, Moto};

/// Contracts that do not hold over these emulators.
pub(super) struct Exception {
    pub(super) emulators: &'static [Emulator],
    pub(super) contracts: &'static [&'static str],
    /// What they do wrong, and what AWS does.
    pub(super) wrong: &'static str,
    /// In which words the contracts fail there.
    pub(super) words: &'static str,
}

const BOTH: &[Emulator] = &[Moto, Ministack];

pub(super) const EXCEPTIONS: &[Exception] = &[
    Exception {
        emulators: BOTH,
        contracts: &[
            "every_authority_comes_to_serve_a_change",
            "a_service_binding_is_served_as_it_is_listed",
            "a_change_that_is_listed_is_not_yet_served_everywhere",
            "weighted_sets_answer_by_their_weights",
            "a_zone_is_where_its_parent_says",
            "a_zone_may_be_elsewhere",
            "a_zone_may_be_nowhere",
        ],
        wrong: "no name server serves what they keep; AWS serves each zone from four",
        words: "no answer from the resolver",
    },
    Exception {
        emulators: BOTH,
        contracts: &[
            "requests_go_by_the_weights_of_their_rule",
            "a_request_meets_faults_on_its_way",
            "a_group_without_targets_has_nothing_healthy",
        ],
        wrong: "nothing listens behind their load balancers; those of AWS take requests",
        words: "GET https://app.navralabs.com",
    },
    Exception {
        emulators: BOTH,
        contracts: &["traffic_over_tls_is_measured"],
        wrong: "nothing listens behind their load balancers, whose names are made up anew each time; those of AWS take requests",
        words: "right: (\"aep-prod-alb.eu-west-1.elb.amazonaws.com\", 60s)",
    },
    Exception {
        emulators: &[Moto],
        contracts: &[
            "alarms_say_what_is_so",
            "what_an_alarm_says_changes",
            "more_alarms_than_one_call_takes",
            "alarms_meet_faults_on_their_way",
            "a_metric_has_a_point_in_each_period",
            "a_formula_has_a_point_in_each_period",
            "a_metric_may_fall_silent",
            "silence_is_no_measurement",
        ],
        wrong: "speaks to CloudWatch by forms and JSON alone; AWS also by CBOR (Smithy RPC v2), in which the SDK speaks",
        words: "404 Not Found",
    },
    Exception {
        emulators: &[Moto],
        contracts: &["an_image_is_there_or_it_is_not", "an_image_may_be_deleted"],
        wrong: "breaks down where it is asked for the rules of caches; AWS tells them, and without any it has no cache",
        words: "ecr DescribePullThroughCacheRules for team/web",
    },
    Exception {
        emulators: &[Ministack],
        contracts: &[
            "an_image_is_there_or_it_is_not",
            "an_image_may_be_deleted",
            "who_may_not_ask_for_an_image_knows_nothing",
            "a_question_for_an_image_is_asked_again",
        ],
        wrong: "has no ECR",
        words: "Unsupported service: ecr",
    },
    Exception {
        emulators: &[Moto],
        contracts: &["a_delete_is_of_exactly_what_is_there"],
        wrong: "what never was cannot be deleted for InvalidInput; AWS says InvalidChangeBatch, for somebody may have changed it",
        words: "InvalidInput: Invalid request: Expected exactly one of",
    },
    Exception {
        emulators: &[Moto],
        contracts: &[
            "a_change_by_somebody_else_just_before_is_foreign",
            "weighted_sets_are_changed_together",
        ],
        wrong: "a delete is held against all that was ever created; AWS holds it against what is there now",
        words: "`Result::unwrap_err()` on an `Ok` value: ChangeId(",
    },
    Exception {
        emulators: BOTH,
        contracts: &["a_record_that_cannot_be_is_refused"],
        wrong: "a name is taken for an IPv4 address; AWS says InvalidChangeBatch (ARRDATAIllegalIPv4Address)",
        words: "`Result::unwrap_err()` on an `Ok` value: ChangeId(",
    },
    Exception {
        emulators: &[Moto],
        contracts: &["a_change_is_pending_before_it_is_insync"],
        wrong: "each change is INSYNC at once, also one that never was; AWS says PENDING first, and NoSuchChange",
        words: "left: Insync",
    },
    Exception {
        emulators: &[Ministack],
        contracts: &["no_more_lines_than_wanted_are_counted"],
        wrong: "a page that is full has no token though there is more; that of AWS has one",
        words: "left: Ok(Some((29, true)))",
    },
    Exception {
        emulators: &[Ministack],
        contracts: &["a_formula_has_a_point_in_each_period"],
        wrong: "no formula is worked out (StatusCode InternalError); AWS has metric math",
        words: "complete: false",
    },
    Exception {
        emulators: &[Ministack],
        contracts: &["a_rule_is_set_and_set_back_to_what_it_was"],
        wrong: "a ForwardConfig is lost: the rule forwards to nobody then; AWS keeps it",
        words: "groups: []",
    },
    Exception {
        emulators: &[Ministack],
        contracts: &["a_lost_change_of_a_rule_is_in_doubt"],
        wrong: "a ForwardConfig is lost, and so is the change; AWS keeps it",
        words: "drop_after of ModifyRule",
    },
    Exception {
        emulators: BOTH,
        contracts: &["what_a_rule_cannot_be_is_refused"],
        wrong: "whatever weights are taken, and no target groups at all; AWS takes 0 to 999, and at least one",
        words: "`Result::unwrap_err()` on an `Ok` value: ()",
    },
    Exception {
        emulators: BOTH,
        contracts: &["what_an_attribute_cannot_be_is_refused"],
        wrong: "whatever values are taken; AWS takes those within the bounds of each attribute",
        words: "`Result::unwrap_err()` on an `Ok` value: ()",
    },
    Exception {
        emulators: &[Ministack],
        contracts: &["a_refusal_is_worth_the_same_everywhere"],
        wrong: "a load balancer that is not there has no target groups; AWS says LoadBalancerNotFound",
        words: "`Result::unwrap_err()` on an `Ok` value: []",
    },
    Exception {
        emulators: BOTH,
        contracts: &["behind_a_load_balancer_that_is_gone_nothing_is_used"],
        wrong: "targets of a group that no listener uses are healthy; AWS says unused (Target.NotInUse)",
        words: "state: \"healthy\"",
    },
    Exception {
        emulators: &[Ministack],
        contracts: &["what_is_not_there_has_nothing_in_it"],
        wrong: "a cluster that is not there has no services; AWS says ClusterNotFoundException",
        words: "`Result::unwrap_err()` on an `Ok` value: ()",
    },
    Exception {
        emulators: &[Ministack],
        contracts: &[
            "bounds_are_set_and_set_back_to_what_they_were",
            "a_service_follows_its_bounds",
            "a_lost_change_of_bounds_is_in_doubt",
            "what_bounds_cannot_be_is_refused",
        ],
        wrong: "nothing is scaled there; AWS has Application Auto Scaling",
        words: "Unsupported service: application-autoscaling",
    },
    Exception {
        emulators: &[Moto],
        contracts: &["a_service_follows_its_bounds"],
        wrong: "bounds are kept and bind nobody; AWS brings the count of a service within them",
        words: "4 to 6",
    },
    Exception {
        emulators: &[Moto],
        contracts: &["what_bounds_cannot_be_is_refused"],
        wrong: "a minimum above the maximum is taken; AWS says ValidationException",
        words: "`Result::unwrap_err()` on an `Ok` value: ()",
    },
    Exception {
        emulators: &[Ministack],
        contracts: &["a_running_task_tells_the_digest_of_its_image"],
        wrong: "a task tells no digest; AWS tells the one that it pulled",
        words: "no digest",
    },
    Exception {
        emulators: &[Moto],
        contracts: &["a_running_task_tells_the_digest_of_its_image"],
        wrong: "a service has no tasks, only their number; AWS lists them",
        words: "left: 0",
    },
    Exception {
        emulators: &[Ministack],
        contracts: &["a_task_runs_once_for_its_token"],
        wrong: "clientToken means nothing: a second task runs; AWS answers with the first",
        words: "one token, one task",
    },
    Exception {
        emulators: &[Moto],
        contracts: &["a_task_runs_once_for_its_token"],
        wrong: "fails (500) for want of a container instance of its own; AWS answers with the reason",
        words: "ecs RunTask of aep-migrate in aep-prod",
    },
    Exception {
        emulators: BOTH,
        contracts: &["a_deployment_that_the_service_gave_up_is_seen_by_its_id"],
        wrong: "no image is pulled and no deployment given up; AWS goes back to the one before",
        words: "it never came",
    },
    Exception {
        emulators: &[Moto],
        contracts: &["a_deployment_has_a_service_deployment"],
        wrong: "has no service deployments, and answers with a page of HTML; AWS has one for each deployment",
        words: "ecs ListServiceDeployments of aep-backend-prod in aep-prod",
    },
    Exception {
        emulators: &[Ministack],
        contracts: &["a_deployment_has_a_service_deployment"],
        wrong: "lists no service deployments; AWS has one for each deployment",
        words: "it never came",
    },
    Exception {
        emulators: &[Moto],
        contracts: &["a_service_is_set_to_a_definition_and_back_to_the_very_one_it_had"],
        wrong: "an update leaves the deployment as it was; AWS makes one, with an id of its own",
        words: "left: (\"ecs-svc/",
    },
    Exception {
        emulators: &[Moto],
        contracts: &["what_is_denied_is_told_and_all_else_is_allowed", "questions_meet_faults_on_their_way"],
        wrong: "has no SimulatePrincipalPolicy (500); AWS evaluates the policies of whoever asks",
        words: "500 Internal Server Error",
    },
];

/// Modules of contracts that no emulator is asked to hold, and why.
pub(super) const NOT_ASKED: &[(&str, &str)] = &[
    ("budgets", "two runs of one process share what they may ask: none of it is said by AWS"),
    (
        "capacity",
        "a provider that leaves, or is gone, under a service that uses it can be stated in a world alone: AWS deletes none that \
         is in use",
    ),
    ("files", "files are beside the plan: nobody else has them"),
    (
        "health_checks",
        "what checkers say: moto keeps health checks, and nobody asks what they say to; of ministack it is not known",
    ),
    (
        "named",
        "a world has every role and secret but those that it calls absent; there only what was made is, and no stage makes any",
    ),
    (
        "private",
        "each ends with an answer of a resolver inside the network of the zone: nobody answers for names there",
    ),
    ("queries", "Prometheus is asked, and not AWS"),
    (
        "signals",
        "they read what ports tell, and what that is over emulators the contracts of those ports say",
    ),
    (
        "stages",
        "no deployment takes over in stages there: moto drops deploymentConfiguration and has no service deployments \
         (500), ministack lists none and has no StopServiceDeployment; AWS has all of it",
    ),
    ("updates", "what only zones on a primary server have is none of AWS: BIND and Knot hold it"),
];
