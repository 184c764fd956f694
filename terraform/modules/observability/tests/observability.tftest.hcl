mock_provider "aws" {
  source = "../../tests/aws"
}

variables {
  name              = "faces"
  endpoint_name     = "faces"
  bucket_arns       = ["arn:aws:s3:::acme-models"]
  secret_name       = "faces/kek"
  trail_bucket_name = "acme-trail"
  alarm_emails      = ["oncall@example.com"]

  callers = {
    trail      = "cloudtrail.amazonaws.com"
    cloudwatch = "cloudwatch.amazonaws.com"
    logs       = "logs.eu-central-1.amazonaws.com"
    auditor    = "arn:aws:iam::111122223333:role/auditor"
    admin      = "arn:aws:iam::111122223333:role/admin"
    stranger   = "arn:aws:iam::999999999999:role/thief"
  }
}

run "made" {
  assert {
    condition = { for name, alarm in aws_cloudwatch_metric_alarm.guard : name => [alarm.namespace, alarm.metric_name, tostring(alarm.threshold)] } == {
      errors-5xx   = ["AWS/SageMaker", "Invocation5XXErrors", "0.01"]
      latency-p99  = ["AWS/SageMaker", "ModelLatency", "2000000"]
      latency-mean = ["AWS/SageMaker", "ModelLatency", "1000000"]
    }
    error_message = "Alarms: ${jsonencode({ for name, alarm in aws_cloudwatch_metric_alarm.guard : name => [alarm.namespace, alarm.metric_name, tostring(alarm.threshold)] })}"
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.guard["errors-5xx"].statistic == "Average" && aws_cloudwatch_metric_alarm.guard["latency-p99"].extended_statistic == "p99" && aws_cloudwatch_metric_alarm.guard["latency-mean"].statistic == "Average"
    error_message = "An alarm looks at another statistic."
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.guard : alarm.treat_missing_data == "notBreaching" && alarm.dimensions == tomap({ EndpointName = "faces", VariantName = "main" })])
    error_message = "An alarm fires without requests, or watches something else."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.ping[0].treat_missing_data == "breaching" && aws_cloudwatch_metric_alarm.ping[0].namespace == "/aws/sagemaker/Endpoints"
    error_message = "No instance passes /ping and no alarm fires."
  }

  assert {
    condition     = alltrue([for alarm in concat(values(aws_cloudwatch_metric_alarm.guard), aws_cloudwatch_metric_alarm.ping, values(aws_cloudwatch_metric_alarm.watched)) : tolist(alarm.alarm_actions) == tolist([aws_sns_topic.alarms.arn])])
    error_message = "An alarm tells nobody."
  }

  assert {
    condition     = keys(output.rollback_alarms) == ["faces-errors-5xx", "faces-latency-mean", "faces-latency-p99"]
    error_message = "Guards: ${jsonencode(keys(output.rollback_alarms))}"
  }

  assert {
    condition     = aws_sns_topic.alarms.kms_master_key_id == module.kms.arn && aws_sns_topic_subscription.email["oncall@example.com"].protocol == "email"
    error_message = "The topic is not encrypted, or tells nobody."
  }

  assert {
    condition     = aws_cloudwatch_log_group.endpoint.name == "/aws/sagemaker/Endpoints/faces" && aws_cloudwatch_log_group.endpoint.retention_in_days == 30 && aws_cloudwatch_log_group.endpoint.kms_key_id == module.kms.arn
    error_message = "The endpoint's log is not kept encrypted, for 30 days."
  }

  assert {
    condition     = aws_cloudwatch_log_group.audit.retention_in_days == 400 && aws_cloudwatch_log_group.audit.kms_key_id == module.kms.arn
    error_message = "The audit log is not kept encrypted, for more than a year."
  }

  assert {
    condition     = aws_cloudtrail.this.enable_log_file_validation && aws_cloudtrail.this.is_multi_region_trail && aws_cloudtrail.this.kms_key_id == module.kms.arn
    error_message = "The trail can be forged, has holes or is not encrypted."
  }

  assert {
    condition = toset(flatten([for selector in aws_cloudtrail.this.advanced_event_selector : [for field in selector.field_selector : "${field.field}: ${join(" ", concat(field.field == "resources.ARN" ? field.starts_with : field.equals))}"]])) == toset([
      "eventCategory: Management",
      "eventCategory: Data",
      "resources.type: AWS::S3::Object",
      "resources.ARN: arn:aws:s3:::acme-models/",
    ])
    error_message = "The trail does not record reads of the secret and of objects."
  }

  assert {
    condition     = strcontains(aws_cloudwatch_log_metric_filter.watched["key-denied"].pattern, "GetSecretValue") && strcontains(aws_cloudwatch_log_metric_filter.watched["key-denied"].pattern, "*faces/kek*") && strcontains(aws_cloudwatch_log_metric_filter.watched["policy-changed"].pattern, "PutKeyPolicy")
    error_message = "Denials and changed policies go unnoticed."
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.endpoint.event_pattern).detail.EndpointName == ["faces"] && aws_cloudwatch_event_target.endpoint.arn == aws_sns_topic.alarms.arn
    error_message = "A deployment that fails tells nobody."
  }
}

run "the_trail_is_written_by_itself_only" {
  module {
    source = "../../tests/iam"
  }

  variables {
    root     = "arn:aws:s3:::acme-trail"
    identity = { admin = [jsonencode({ Statement = [{ Sid = "All", Effect = "Allow", Action = "*", Resource = "*" }] })] }
    resource = [run.made.trail_bucket_policy]
    context  = { "s3:x-amz-acl" = "bucket-owner-full-control" }
    allowed = {
      delivering = { caller = "trail", action = "s3:PutObject", target = "/AWSLogs/111122223333/CloudTrail/a.json.gz", context = { "aws:SourceArn" = "arn:aws:cloudtrail:eu-central-1:111122223333:trail/faces" } }
      looking    = { caller = "trail", action = "s3:GetBucketAcl", target = "", context = { "aws:SourceArn" = "arn:aws:cloudtrail:eu-central-1:111122223333:trail/faces" } }
      auditing   = { caller = "admin", action = "s3:GetObject", target = "/AWSLogs/111122223333/CloudTrail/a.json.gz" }
    }
    refused = {
      another_trail   = { caller = "trail", action = "s3:PutObject", target = "/AWSLogs/111122223333/CloudTrail/a.json.gz", context = { "aws:SourceArn" = "arn:aws:cloudtrail:eu-central-1:999999999999:trail/faces" } }
      another_account = { caller = "trail", action = "s3:PutObject", target = "/AWSLogs/999999999999/CloudTrail/a.json.gz", context = { "aws:SourceArn" = "arn:aws:cloudtrail:eu-central-1:111122223333:trail/faces" } }
      forging         = { caller = "admin", action = "s3:PutObject", target = "/AWSLogs/111122223333/CloudTrail/a.json.gz" }
    }
  }

  assert {
    condition     = length(output.wrong) == 0
    error_message = join("\n", output.wrong)
  }
}

run "alarms_come_from_this_account_only" {
  module {
    source = "../../tests/iam"
  }

  variables {
    root     = "arn:aws:sns:eu-central-1:111122223333:faces-alarms"
    resource = [run.made.topic_policy]
    allowed = {
      an_alarm = { caller = "cloudwatch", action = "sns:Publish", target = "", context = { "aws:SourceAccount" = "111122223333" } }
    }
    refused = {
      anothers_alarm = { caller = "cloudwatch", action = "sns:Publish", target = "", context = { "aws:SourceAccount" = "999999999999" } }
      somebody       = { caller = "stranger", action = "sns:Publish", target = "" }
      subscribing    = { caller = "stranger", action = "sns:Subscribe", target = "" }
      without_tls    = { caller = "cloudwatch", action = "sns:Publish", target = "", context = { "aws:SourceAccount" = "111122223333", "aws:SecureTransport" = "false" } }
    }
  }

  assert {
    condition     = length(output.wrong) == 0
    error_message = join("\n", output.wrong)
  }
}

run "the_kms_key_serves_what_it_is_for" {
  module {
    source = "../../tests/iam"
  }

  variables {
    root     = "arn:aws:kms:eu-central-1:111122223333:key/1"
    resource = [run.made.kms_key_policy]
    allowed = {
      the_endpoints_log = { caller = "logs", action = "kms:GenerateDataKey", target = "", context = { "kms:EncryptionContext:aws:logs:arn" = "arn:aws:logs:eu-central-1:111122223333:log-group:/aws/sagemaker/Endpoints/faces" } }
      the_audit_log     = { caller = "logs", action = "kms:Encrypt", target = "", context = { "kms:EncryptionContext:aws:logs:arn" = "arn:aws:logs:eu-central-1:111122223333:log-group:/strongroom/faces/audit" } }
      an_alarm          = { caller = "cloudwatch", action = "kms:GenerateDataKey", target = "", context = { "aws:SourceAccount" = "111122223333" } }
      the_trail         = { caller = "trail", action = "kms:GenerateDataKey", target = "", context = { "aws:SourceArn" = "arn:aws:cloudtrail:eu-central-1:111122223333:trail/faces" } }
      reading_the_trail = { caller = "auditor", action = "kms:Decrypt", target = "", context = { "kms:ViaService" = "s3.eu-central-1.amazonaws.com" } }
      a_repository      = { caller = "admin", action = "kms:CreateGrant", target = "", context = { "kms:ViaService" = "ecr.eu-central-1.amazonaws.com", "kms:GrantIsForAWSResource" = "true" } }
    }
    refused = {
      anothers_log        = { caller = "logs", action = "kms:Decrypt", target = "", context = { "kms:EncryptionContext:aws:logs:arn" = "arn:aws:logs:eu-central-1:111122223333:log-group:/aws/sagemaker/Endpoints/other" } }
      anothers_alarm      = { caller = "cloudwatch", action = "kms:Decrypt", target = "", context = { "aws:SourceAccount" = "999999999999" } }
      anothers_trail      = { caller = "trail", action = "kms:Decrypt", target = "", context = { "aws:SourceArn" = "arn:aws:cloudtrail:eu-central-1:999999999999:trail/faces" } }
      reading_directly    = { caller = "admin", action = "kms:Decrypt", target = "" }
      a_grant_for_oneself = { caller = "admin", action = "kms:CreateGrant", target = "", context = { "kms:GrantIsForAWSResource" = "false" } }
      another_account     = { caller = "stranger", action = "kms:Decrypt", target = "", context = { "kms:ViaService" = "s3.eu-central-1.amazonaws.com", "aws:PrincipalAccount" = "999999999999" } }
    }
  }

  assert {
    condition     = length(output.wrong) == 0
    error_message = join("\n", output.wrong)
  }
}

run "no_policy_is_wider_than_it_has_to_be" {
  module {
    source = "../../tests/narrow"
  }

  variables {
    policies = {
      key   = run.made.kms_key_policy
      topic = run.made.topic_policy
      trail = run.made.trail_bucket_policy
    }
    own = ["key"]
  }

  assert {
    condition     = length(output.wide) == 0 && output.statements == 9
    error_message = "${output.statements} statements, and: ${join("\n", output.wide)}"
  }
}

run "an_endpoint_that_is_not_there_yet_is_not_missed" {
  variables {
    in_service = false
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.ping) == 0
    error_message = "The alarm fires before there is an endpoint."
  }
}

run "thresholds_are_what_was_asked_for" {
  variables {
    max_error_percent   = 5
    max_latency_p99_ms  = 500
    max_latency_mean_ms = 100
  }

  assert {
    condition     = { for name, alarm in aws_cloudwatch_metric_alarm.guard : name => alarm.threshold } == { errors-5xx = 0.05, latency-p99 = 500000, latency-mean = 100000 }
    error_message = "Thresholds: ${jsonencode({ for name, alarm in aws_cloudwatch_metric_alarm.guard : name => alarm.threshold })}"
  }
}

run "an_audit_is_kept_a_year" {
  command = plan

  variables {
    audit_retention_days = 30
  }

  expect_failures = [var.audit_retention_days]
}

run "a_log_is_kept_a_month" {
  command = plan

  variables {
    log_retention_days = 1
  }

  expect_failures = [var.log_retention_days]
}

run "a_bucket_has_no_wildcard" {
  command = plan

  variables {
    bucket_arns = ["arn:aws:s3:::*"]
  }

  expect_failures = [var.bucket_arns]
}

run "an_email_is_an_address" {
  command = plan

  variables {
    alarm_emails = ["oncall"]
  }

  expect_failures = [var.alarm_emails]
}

run "some_error_is_allowed" {
  command = plan

  variables {
    max_error_percent = 0
  }

  expect_failures = [var.max_error_percent]
}

run "a_mean_is_below_the_99th_percentile" {
  command = plan

  variables {
    max_latency_mean_ms = 3000
  }

  expect_failures = [var.max_latency_mean_ms]
}

run "a_latency_is_at_most_an_hour" {
  command = plan

  variables {
    max_latency_p99_ms = 4000000
  }

  expect_failures = [var.max_latency_p99_ms]
}

run "a_name_fits_the_names_made_of_it" {
  command = plan

  variables {
    name = "f"
  }

  expect_failures = [var.name]
}

run "an_endpoint_has_a_name" {
  command = plan

  variables {
    endpoint_name = "faces_1"
  }

  expect_failures = [var.endpoint_name]
}

run "a_variant_has_a_name" {
  command = plan

  variables {
    variant_name = ""
  }

  expect_failures = [var.variant_name]
}

run "a_secret_has_a_name" {
  command = plan

  variables {
    secret_name = "*"
  }

  expect_failures = [var.secret_name]
}

run "a_bucket_name_has_no_dot" {
  command = plan

  variables {
    trail_bucket_name = "acme.trail"
  }

  expect_failures = [var.trail_bucket_name]
}
