data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  region     = data.aws_region.current.id

  arn          = "arn:${local.partition}:sagemaker:${local.region}:${local.account_id}"
  endpoint_arn = "${local.arn}:endpoint/${var.name}"
  logs_arn     = "arn:${local.partition}:logs:${local.region}:${local.account_id}:log-group"
  network_arn  = "arn:${local.partition}:ec2:${local.region}:${local.account_id}"

  has_model    = var.image_uri != null
  has_endpoint = local.has_model && var.hosting != "batch-transform"
  has_fleet    = local.has_endpoint && var.hosting != "serverless"
}

# --- The execution role ----------------------------------------------------------------------------------------------

resource "aws_iam_role" "execution" {
  name        = "${var.name}-execution"
  description = "SageMaker runs ${var.name} with this role; the container has its credentials"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "SageMaker"
      Effect    = "Allow"
      Principal = { Service = "sagemaker.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account_id } }
    }]
  })
}

locals {
  log_group = var.hosting == "batch-transform" ? "/aws/sagemaker/TransformJobs" : "/aws/sagemaker/Endpoints/${var.name}"

  # Whoever makes a configuration must be able to have its volumes encrypted, and SageMaker asks for the alarms as both.
  guard_policy = concat(
    var.kms_key_arn == null ? [] : [{
      Sid       = "EncryptVolumes"
      Effect    = "Allow"
      Action    = "kms:CreateGrant"
      Resource  = var.kms_key_arn
      Condition = { Bool = { "kms:GrantIsForAWSResource" = "true" } }
    }],
    length(var.rollback_alarms) == 0 ? [] : [{
      Sid      = "WatchAlarms"
      Effect   = "Allow"
      Action   = "cloudwatch:DescribeAlarms"
      Resource = values(var.rollback_alarms)
    }]
  )

  # For the interfaces by which the container is in the VPC.
  network_policy = [
    {
      Sid    = "JoinNetwork"
      Effect = "Allow"
      Action = "ec2:CreateNetworkInterface"
      Resource = concat(
        ["${local.network_arn}:network-interface/*"],
        [for id in var.subnet_ids : "${local.network_arn}:subnet/${id}"],
        [for id in var.security_group_ids : "${local.network_arn}:security-group/${id}"],
      )
    },
    {
      Sid       = "LeaveNetwork"
      Effect    = "Allow"
      Action    = ["ec2:CreateNetworkInterfacePermission", "ec2:DeleteNetworkInterface", "ec2:DeleteNetworkInterfacePermission"]
      Resource  = "${local.network_arn}:network-interface/*"
      Condition = { ArnEquals = { "ec2:Subnet" = [for id in var.subnet_ids : "${local.network_arn}:subnet/${id}"] } }
    },
    # EC2 knows no resources for these.
    {
      Sid    = "SeeNetwork"
      Effect = "Allow"
      Action = [
        "ec2:DescribeDhcpOptions",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcs",
      ]
      Resource = "*"
    },
  ]

  platform_policy = concat(
    [
      {
        Sid    = "WriteLog"
        Effect = "Allow"
        # The groups of endpoints are made beforehand, encrypted and with an end; all transform jobs share one.
        Action = concat(
          ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
          var.hosting == "batch-transform" ? ["logs:CreateLogGroup"] : [],
        )
        Resource = ["${local.logs_arn}:${local.log_group}", "${local.logs_arn}:${local.log_group}:*"]
      },
      # CloudWatch knows no resource for it.
      {
        Sid       = "WriteMetrics"
        Effect    = "Allow"
        Action    = "cloudwatch:PutMetricData"
        Resource  = "*"
        Condition = { StringEquals = { "cloudwatch:namespace" = ["/aws/sagemaker/Endpoints", "/aws/sagemaker/TransformJobs", "AWS/SageMaker"] } }
      },
    ],
    local.guard_policy,
    [for statement in local.network_policy : statement if length(var.subnet_ids) > 0],
  )

  # Names of scripts/deploy: ENDPOINT-VERSION-DIGEST-DATE. Of an endpoint's name it keeps 14 characters or more, so that a
  # longer one may be cut before VERSION.
  successors = concat(["${var.name}-*"], length(var.name) > 14 ? ["${substr(var.name, 0, 14)}*-????????????-??????????????"] : [])
  successor_arns = flatten([for kind in ["endpoint-config", "model"] : [
    for name in local.successors : "${local.arn}:${kind}/${name}"
  ]])

  deploy_policy = concat(local.guard_policy, [
    {
      Sid    = "Deploy"
      Effect = "Allow"
      Action = [
        "sagemaker:CreateEndpointConfig",
        "sagemaker:CreateModel",
        "sagemaker:DescribeEndpoint",
        "sagemaker:DescribeEndpointConfig",
        "sagemaker:DescribeModel",
        "sagemaker:InvokeEndpoint",
        "sagemaker:UpdateEndpoint",
      ]
      Resource = concat([local.endpoint_arn], local.successor_arns)
    },
    # New models and configurations have the tags of those before; by its tags a configuration is rolled back.
    {
      Sid      = "KeepTags"
      Effect   = "Allow"
      Action   = ["sagemaker:AddTags", "sagemaker:ListTags"]
      Resource = local.successor_arns
    },
    {
      Sid       = "RunAsExecutionRole"
      Effect    = "Allow"
      Action    = "iam:PassRole"
      Resource  = aws_iam_role.execution.arn
      Condition = { StringEquals = { "iam:PassedToService" = "sagemaker.amazonaws.com" } }
    },
  ])

  invoke_policy = [{
    Sid      = "Invoke"
    Effect   = "Allow"
    Action   = var.hosting == "asynchronous" ? ["sagemaker:InvokeEndpointAsync"] : ["sagemaker:InvokeEndpoint", "sagemaker:InvokeEndpointWithResponseStream"]
    Resource = local.endpoint_arn
  }]
}

resource "aws_iam_role_policy" "execution" {
  for_each = merge(
    { platform = jsonencode({ Version = "2012-10-17", Statement = local.platform_policy }) },
    var.policies,
  )

  name   = each.key
  role   = aws_iam_role.execution.name
  policy = each.value
}

# --- The model -------------------------------------------------------------------------------------------------------

locals {
  is_multi_model = var.multi_model_uri != null

  environment = merge(
    { STRONGROOM_KEY = var.key, STRONGROOM_SANDBOX = var.sandbox },
    local.is_multi_model ? {} : { STRONGROOM_REGISTRY = var.registry, STRONGROOM_MODEL = var.model },
    {
      "real-time"       = {}
      "batch-transform" = {}
      # The platform's own limits, of which the container is not told.
      "serverless"   = { STRONGROOM_MAX_BODY_MB = "4" }
      "asynchronous" = { STRONGROOM_MAX_BODY_MB = "1024", STRONGROOM_DEADLINE_S = "3600" }
    }[var.hosting],
    var.settings,
  )

  # Models and configurations cannot be changed, so that each has a name of what it is; the same again is no change.
  model_digest  = substr(sha256(jsonencode([var.image_uri, local.environment, var.multi_model_uri, var.subnet_ids, var.security_group_ids])), 0, 12)
  config_digest = substr(sha256(jsonencode([local.model_digest, var.hosting, var.variant_name, var.instance_type, var.capacity.min, var.serverless, var.asynchronous, var.kms_key_arn, var.startup_timeout_s])), 0, 12)
}

resource "aws_sagemaker_model" "this" {
  #checkov:skip=CKV_AWS_370:Under network isolation a container has no credentials, so that it could fetch neither the sealing key nor the sealed model; the VPC and its endpoint policies stand in for it
  count = local.has_model ? 1 : 0

  name                     = "${var.name}-${local.model_digest}"
  execution_role_arn       = aws_iam_role.execution.arn
  enable_network_isolation = false

  primary_container {
    image          = var.image_uri
    mode           = local.is_multi_model ? "MultiModel" : "SingleModel"
    model_data_url = var.multi_model_uri
    environment    = local.environment
  }

  dynamic "vpc_config" {
    for_each = length(var.subnet_ids) > 0 ? [true] : []
    content {
      subnets            = var.subnet_ids
      security_group_ids = var.security_group_ids
    }
  }

  lifecycle {
    create_before_destroy = true
  }

  depends_on = [aws_iam_role_policy.execution]
}

resource "aws_sagemaker_endpoint_configuration" "this" {
  count = local.has_endpoint ? 1 : 0

  name        = "${var.name}-${local.config_digest}"
  kms_key_arn = var.hosting == "serverless" ? null : var.kms_key_arn

  production_variants {
    variant_name           = var.variant_name
    model_name             = aws_sagemaker_model.this[0].name
    initial_variant_weight = 1

    instance_type                                     = local.has_fleet ? var.instance_type : null
    initial_instance_count                            = local.has_fleet ? max(var.capacity.min, 1) : null
    container_startup_health_check_timeout_in_seconds = local.has_fleet ? var.startup_timeout_s : null

    dynamic "routing_config" {
      for_each = local.has_fleet ? [true] : []
      content {
        routing_strategy = "LEAST_OUTSTANDING_REQUESTS"
      }
    }

    dynamic "serverless_config" {
      for_each = local.has_fleet ? [] : [var.serverless]
      content {
        memory_size_in_mb = serverless_config.value.memory_mb
        max_concurrency   = serverless_config.value.max_concurrency
      }
    }
  }

  dynamic "async_inference_config" {
    for_each = var.hosting == "asynchronous" ? [var.asynchronous] : []
    content {
      client_config {
        max_concurrent_invocations_per_instance = async_inference_config.value.max_concurrent_invocations
      }

      output_config {
        s3_output_path  = async_inference_config.value.output_uri
        s3_failure_path = async_inference_config.value.failure_uri
        kms_key_id      = async_inference_config.value.kms_key_arn
      }
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}

# --- The endpoint ----------------------------------------------------------------------------------------------------

resource "aws_sagemaker_endpoint" "this" {
  count = local.has_endpoint ? 1 : 0

  name                 = var.name
  endpoint_config_name = aws_sagemaker_endpoint_configuration.this[0].name

  dynamic "deployment_config" {
    for_each = local.has_fleet ? [var.deployment] : []
    content {
      blue_green_update_policy {
        maximum_execution_timeout_in_seconds = deployment_config.value.max_s
        termination_wait_in_seconds          = deployment_config.value.termination_wait_s

        traffic_routing_configuration {
          type                     = deployment_config.value.type
          wait_interval_in_seconds = deployment_config.value.wait_s

          dynamic "canary_size" {
            for_each = deployment_config.value.type == "CANARY" ? [true] : []
            content {
              type  = "CAPACITY_PERCENT"
              value = deployment_config.value.step_percent
            }
          }

          dynamic "linear_step_size" {
            for_each = deployment_config.value.type == "LINEAR" ? [true] : []
            content {
              type  = "CAPACITY_PERCENT"
              value = deployment_config.value.step_percent
            }
          }
        }
      }

      auto_rollback_configuration {
        dynamic "alarms" {
          for_each = var.rollback_alarms
          content {
            alarm_name = alarms.key
          }
        }
      }
    }
  }

  lifecycle {
    # After a rollback the endpoint is in service again, with what it had. Without this Terraform would go on and delete
    # just that.
    postcondition {
      condition     = self.endpoint_config_name == aws_sagemaker_endpoint_configuration.this[0].name
      error_message = "SageMaker rolled ${var.name} back to ${self.endpoint_config_name}: an alarm fired, or the new containers did not pass /ping. See /aws/sagemaker/Endpoints/${var.name} in CloudWatch Logs."
    }
  }
}

# --- Scaling ---------------------------------------------------------------------------------------------------------

resource "aws_appautoscaling_target" "this" {
  count = local.has_fleet ? 1 : 0

  service_namespace  = "sagemaker"
  scalable_dimension = "sagemaker:variant:DesiredInstanceCount"
  resource_id        = "endpoint/${aws_sagemaker_endpoint.this[0].name}/variant/${var.variant_name}"
  min_capacity       = var.capacity.min
  max_capacity       = var.capacity.max
}

resource "aws_appautoscaling_policy" "load" {
  count = local.has_fleet ? 1 : 0

  name               = "${var.name}-load"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.this[0].service_namespace
  scalable_dimension = aws_appautoscaling_target.this[0].scalable_dimension
  resource_id        = aws_appautoscaling_target.this[0].resource_id

  target_tracking_scaling_policy_configuration {
    target_value       = var.capacity.target
    scale_out_cooldown = 60
    scale_in_cooldown  = 300

    dynamic "predefined_metric_specification" {
      for_each = var.hosting == "real-time" ? [true] : []
      content {
        predefined_metric_type = "SageMakerVariantInvocationsPerInstance"
      }
    }

    dynamic "customized_metric_specification" {
      for_each = var.hosting == "asynchronous" ? [true] : []
      content {
        namespace   = "AWS/SageMaker"
        metric_name = "ApproximateBacklogSizePerInstance"
        statistic   = "Average"

        dimensions {
          name  = "EndpointName"
          value = aws_sagemaker_endpoint.this[0].name
        }
      }
    }
  }
}

# Without instances there is no backlog per instance, so that nothing would ever start the first one.
resource "aws_appautoscaling_policy" "first" {
  count = local.has_fleet && var.capacity.min == 0 ? 1 : 0

  name               = "${var.name}-first"
  policy_type        = "StepScaling"
  service_namespace  = aws_appautoscaling_target.this[0].service_namespace
  scalable_dimension = aws_appautoscaling_target.this[0].scalable_dimension
  resource_id        = aws_appautoscaling_target.this[0].resource_id

  step_scaling_policy_configuration {
    adjustment_type         = "ChangeInCapacity"
    metric_aggregation_type = "Average"
    cooldown                = 300

    step_adjustment {
      metric_interval_lower_bound = 0
      scaling_adjustment          = 1
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "first" {
  count = local.has_fleet && var.capacity.min == 0 ? 1 : 0

  alarm_name          = "${var.name}-first"
  alarm_description   = "Requests wait and there is no instance: starts one"
  namespace           = "AWS/SageMaker"
  metric_name         = "HasBacklogWithoutCapacity"
  dimensions          = { EndpointName = aws_sagemaker_endpoint.this[0].name }
  statistic           = "Average"
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  period              = 60
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_appautoscaling_policy.first[0].arn]
}
