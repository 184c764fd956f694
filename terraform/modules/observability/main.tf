data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  region     = data.aws_region.current.id
  account    = { AWS = "arn:${local.partition}:iam::${local.account_id}:root" }

  log_groups = "arn:${local.partition}:logs:${local.region}:${local.account_id}:log-group"
  trail_arn  = "arn:${local.partition}:cloudtrail:${local.region}:${local.account_id}:trail/${var.name}"

  # What services are let do is bound to what they do it for, so that nobody else's resource uses them as a deputy.
  for_us = { StringEquals = { "aws:SourceAccount" = local.account_id } }
}

# One key for what runs around the models: logs, alarms, images, volumes. The registry and the secret have their own.
module "kms" {
  source = "../kms"

  name        = "${var.name}-operations"
  description = "Logs, alarms, images and volumes of ${var.name}"
  policies = [jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Logs"
        Effect    = "Allow"
        Principal = { Service = "logs.${local.region}.${data.aws_partition.current.dns_suffix}" }
        Action    = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo"]
        Resource  = "*"
        Condition = { ArnLike = { "kms:EncryptionContext:aws:logs:arn" = [
          "${local.log_groups}:/aws/sagemaker/Endpoints/${var.endpoint_name}",
          "${local.log_groups}:/strongroom/${var.name}/*",
          "${local.log_groups}:aws-waf-logs-${var.name}*",
        ] } }
      },
      {
        Sid       = "Alarms"
        Effect    = "Allow"
        Principal = { Service = ["cloudwatch.amazonaws.com", "events.amazonaws.com"] }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = "*"
        Condition = local.for_us
      },
      {
        Sid       = "Trail"
        Effect    = "Allow"
        Principal = { Service = "cloudtrail.amazonaws.com" }
        Action    = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"]
        Resource  = "*"
        Condition = { StringEquals = { "aws:SourceArn" = local.trail_arn } }
      },
      # For whom IAM allows it: auditors who read the trail, and the roles that write results of jobs.
      {
        Sid       = "ObjectsThroughS3"
        Effect    = "Allow"
        Principal = local.account
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = "*"
        Condition = { StringEquals = { "kms:ViaService" = "s3.${local.region}.amazonaws.com" } }
      },
      # ECR and SageMaker keep what they need of the key as grants, on behalf of who makes a repository or an endpoint.
      {
        Sid       = "ImagesAndVolumes"
        Effect    = "Allow"
        Principal = local.account
        Action    = "kms:CreateGrant"
        Resource  = "*"
        Condition = {
          Bool         = { "kms:GrantIsForAWSResource" = "true" }
          StringEquals = { "kms:ViaService" = ["ecr.${local.region}.amazonaws.com", "sagemaker.${local.region}.amazonaws.com"] }
        }
      },
    ]
  })]
}

# --- Who is told -----------------------------------------------------------------------------------------------------

resource "aws_sns_topic" "alarms" {
  name              = "${var.name}-alarms"
  kms_master_key_id = module.kms.arn
}

resource "aws_sns_topic_policy" "alarms" {
  arn = aws_sns_topic.alarms.arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Alarms"
        Effect    = "Allow"
        Principal = { Service = ["cloudwatch.amazonaws.com", "events.amazonaws.com"] }
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.alarms.arn
        Condition = local.for_us
      },
      {
        Sid       = "DenyInsecureTransport"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.alarms.arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}

resource "aws_sns_topic_subscription" "email" {
  for_each = var.alarm_emails

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = each.value
}

# --- What the endpoint does ------------------------------------------------------------------------------------------

# SageMaker would make the group itself, unencrypted and kept for ever.
resource "aws_cloudwatch_log_group" "endpoint" {
  #checkov:skip=CKV_AWS_338:Operational logs are kept 30 days; what is kept for audits is the trail below
  name              = "/aws/sagemaker/Endpoints/${var.endpoint_name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = module.kms.arn
}

locals {
  variant = { EndpointName = var.endpoint_name, VariantName = var.variant_name }

  # These guard a deployment: any of them rolls it back. SageMaker sums both fleets under one name.
  guards = {
    errors-5xx = {
      description = "More than ${var.max_error_percent} % of requests fail in the container or get no answer in time"
      metric      = "Invocation5XXErrors"
      statistic   = "Average"
      percentile  = null
      threshold   = var.max_error_percent / 100
    }
    latency-p99 = {
      description = "One request in a hundred takes longer than ${var.max_latency_p99_ms} ms"
      metric      = "ModelLatency"
      statistic   = null
      percentile  = "p99"
      threshold   = var.max_latency_p99_ms * 1000
    }
    latency-mean = {
      description = "Requests take longer than ${var.max_latency_mean_ms} ms on average"
      metric      = "ModelLatency"
      statistic   = "Average"
      percentile  = null
      threshold   = var.max_latency_mean_ms * 1000
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "guard" {
  for_each = local.guards

  alarm_name          = "${var.endpoint_name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = "AWS/SageMaker"
  metric_name         = each.value.metric
  dimensions          = local.variant
  statistic           = each.value.statistic
  extended_statistic  = each.value.percentile
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  period              = 60
  evaluation_periods  = 5
  datapoints_to_alarm = 3
  # No request, no failure.
  treat_missing_data = "notBreaching"
  alarm_actions      = [aws_sns_topic.alarms.arn]
  ok_actions         = [aws_sns_topic.alarms.arn]
}

# SageMaker has no metric of /ping: it replaces an instance that fails it. Instances in service tell their CPU every
# minute, so that no word means no instance passes. Not a guard: in a deployment the old fleet goes on telling, and a
# new one that fails /ping is rolled back by SageMaker itself.
resource "aws_cloudwatch_metric_alarm" "ping" {
  count = var.in_service ? 1 : 0

  alarm_name          = "${var.endpoint_name}-ping"
  alarm_description   = "No instance of ${var.endpoint_name} passes /ping"
  namespace           = "/aws/sagemaker/Endpoints"
  metric_name         = "CPUUtilization"
  dimensions          = local.variant
  statistic           = "SampleCount"
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  period              = 60
  evaluation_periods  = 5
  datapoints_to_alarm = 5
  treat_missing_data  = "breaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

# A deployment that failed or was rolled back, whoever began it.
resource "aws_cloudwatch_event_rule" "endpoint" {
  name        = "${var.name}-endpoint-state"
  description = "The endpoint ${var.endpoint_name} is neither in service nor on its way there"

  event_pattern = jsonencode({
    source      = ["aws.sagemaker"]
    detail-type = ["SageMaker Endpoint State Change"]
    detail = {
      EndpointName   = [var.endpoint_name]
      EndpointStatus = [{ anything-but = { equals-ignore-case = ["IN_SERVICE", "InService", "CREATING", "UPDATING", "DELETING"] } }]
    }
  })
}

resource "aws_cloudwatch_event_target" "endpoint" {
  rule = aws_cloudwatch_event_rule.endpoint.name
  arn  = aws_sns_topic.alarms.arn
}

# --- Who touched what ------------------------------------------------------------------------------------------------

module "trail_bucket" {
  source = "../bucket"

  name        = var.trail_bucket_name
  kms_key_arn = module.kms.arn
  expire_days = var.audit_retention_days

  policies = [jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "TrailLooks"
        Effect    = "Allow"
        Principal = { Service = "cloudtrail.amazonaws.com" }
        Action    = "s3:GetBucketAcl"
        Resource  = "arn:${local.partition}:s3:::${var.trail_bucket_name}"
        Condition = { StringEquals = { "aws:SourceArn" = local.trail_arn } }
      },
      {
        Sid       = "TrailWrites"
        Effect    = "Allow"
        Principal = { Service = "cloudtrail.amazonaws.com" }
        Action    = "s3:PutObject"
        Resource  = "arn:${local.partition}:s3:::${var.trail_bucket_name}/AWSLogs/${local.account_id}/*"
        Condition = { StringEquals = { "aws:SourceArn" = local.trail_arn, "s3:x-amz-acl" = "bucket-owner-full-control" } }
      },
      {
        Sid       = "DenyOtherWriters"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:PutObject"
        Resource  = "arn:${local.partition}:s3:::${var.trail_bucket_name}/*"
        Condition = { StringNotEqualsIfExists = { "aws:SourceArn" = local.trail_arn } }
      },
    ]
  })]
}

resource "aws_cloudwatch_log_group" "audit" {
  name              = "/strongroom/${var.name}/audit"
  retention_in_days = var.audit_retention_days
  kms_key_id        = module.kms.arn
}

resource "aws_iam_role" "trail" {
  name        = "${var.name}-trail"
  description = "Writes the audit trail ${var.name} to CloudWatch Logs"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Trail"
      Effect    = "Allow"
      Principal = { Service = "cloudtrail.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceArn" = local.trail_arn } }
    }]
  })
}

resource "aws_iam_role_policy" "trail" {
  name = "write"
  role = aws_iam_role.trail.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "Write"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = "${aws_cloudwatch_log_group.audit.arn}:log-stream:${local.account_id}_CloudTrail_*"
    }]
  })
}

# Reading a secret is a management event, reading an object a data event.
resource "aws_cloudtrail" "this" {
  #checkov:skip=CKV_AWS_252:A message for every delivered file tells nobody anything; the filters below raise alarms
  name                       = var.name
  s3_bucket_name             = module.trail_bucket.name
  kms_key_id                 = module.kms.arn
  is_multi_region_trail      = true
  enable_log_file_validation = true
  cloud_watch_logs_group_arn = "${aws_cloudwatch_log_group.audit.arn}:*"
  cloud_watch_logs_role_arn  = aws_iam_role.trail.arn

  advanced_event_selector {
    name = "Calls, GetSecretValue among them"

    field_selector {
      field  = "eventCategory"
      equals = ["Management"]
    }
  }

  advanced_event_selector {
    name = "Objects of the registry"

    field_selector {
      field  = "eventCategory"
      equals = ["Data"]
    }

    field_selector {
      field  = "resources.type"
      equals = ["AWS::S3::Object"]
    }

    field_selector {
      field       = "resources.ARN"
      starts_with = [for arn in var.bucket_arns : "${arn}/"]
    }
  }

  depends_on = [aws_iam_role_policy.trail]
}

locals {
  # Denials and changes of policies: how somebody who may not have a model would try to get it.
  watched = {
    key-denied = {
      description = "Somebody was denied the sealing key"
      pattern     = "{ ($.eventSource = \"secretsmanager.amazonaws.com\") && ($.eventName = \"GetSecretValue\") && ($.errorCode = \"AccessDenied*\") && ($.requestParameters.secretId = \"*${var.secret_name}*\") }"
    }
    policy-changed = {
      description = "A policy of the secret, of a KMS key, of a bucket or of a VPC endpoint was changed"
      pattern     = "{ ($.eventName = \"PutResourcePolicy\") || ($.eventName = \"DeleteResourcePolicy\") || ($.eventName = \"PutKeyPolicy\") || ($.eventName = \"PutBucketPolicy\") || ($.eventName = \"DeleteBucketPolicy\") || ($.eventName = \"ModifyVpcEndpoint\") }"
    }
    trail-changed = {
      description = "The audit trail was changed or stopped"
      pattern     = "{ ($.eventSource = \"cloudtrail.amazonaws.com\") && (($.eventName = \"StopLogging\") || ($.eventName = \"DeleteTrail\") || ($.eventName = \"UpdateTrail\") || ($.eventName = \"PutEventSelectors\")) }"
    }
  }
}

resource "aws_cloudwatch_log_metric_filter" "watched" {
  for_each = local.watched

  name           = "${var.name}-${each.key}"
  log_group_name = aws_cloudwatch_log_group.audit.name
  pattern        = each.value.pattern

  metric_transformation {
    name      = each.key
    namespace = "Strongroom/${var.name}"
    value     = "1"
  }
}

resource "aws_cloudwatch_metric_alarm" "watched" {
  for_each = local.watched

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = "Strongroom/${var.name}"
  metric_name         = aws_cloudwatch_log_metric_filter.watched[each.key].metric_transformation[0].name
  statistic           = "Sum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  period              = 60
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
}
