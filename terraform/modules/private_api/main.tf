data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  region     = data.aws_region.current.id
}

# --- The way in ------------------------------------------------------------------------------------------------------

resource "aws_security_group" "callers" {
  name        = "${var.name}-api"
  description = "HTTPS from callers to the private API ${var.name}"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-api" }
}

resource "aws_vpc_security_group_ingress_rule" "callers" {
  for_each = var.caller_security_group_ids

  security_group_id            = aws_security_group.callers.id
  description                  = "Callers: ${each.key}"
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  referenced_security_group_id = each.value
}

resource "aws_vpc_endpoint" "api" {
  vpc_id              = var.vpc_id
  service_name        = "com.amazonaws.${local.region}.execute-api"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = var.subnet_ids
  security_group_ids  = [aws_security_group.callers.id]

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OwnAccount"
      Effect    = "Allow"
      Principal = "*"
      Action    = "execute-api:Invoke"
      Resource  = "arn:${local.partition}:execute-api:${local.region}:${local.account_id}:*/${var.stage}/POST/invocations"
      Condition = { StringEquals = { "aws:PrincipalAccount" = local.account_id } }
    }]
  })

  tags = { Name = "${var.name}-execute-api" }
}

# --- The API ---------------------------------------------------------------------------------------------------------

resource "aws_api_gateway_rest_api" "this" {
  name        = var.name
  description = "Invocations of the SageMaker endpoint ${var.endpoint_name}, from one VPC"
  # Images and tensors pass through as they are.
  binary_media_types = ["*/*"]

  endpoint_configuration {
    types            = ["PRIVATE"]
    vpc_endpoint_ids = [aws_vpc_endpoint.api.id]
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_api_gateway_rest_api_policy" "this" {
  rest_api_id = aws_api_gateway_rest_api.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "OwnAccount"
        Effect    = "Allow"
        Principal = { AWS = "arn:${local.partition}:iam::${local.account_id}:root" }
        Action    = "execute-api:Invoke"
        Resource  = "${aws_api_gateway_rest_api.this.execution_arn}/${var.stage}/POST/invocations"
      },
      {
        Sid       = "DenyOtherNetworks"
        Effect    = "Deny"
        Principal = "*"
        Action    = "execute-api:Invoke"
        Resource  = "${aws_api_gateway_rest_api.this.execution_arn}/*"
        Condition = { StringNotEquals = { "aws:SourceVpce" = aws_vpc_endpoint.api.id } }
      },
    ]
  })
}

resource "aws_api_gateway_resource" "invocations" {
  rest_api_id = aws_api_gateway_rest_api.this.id
  parent_id   = aws_api_gateway_rest_api.this.root_resource_id
  path_part   = "invocations"
}

resource "aws_api_gateway_method" "invoke" {
  #checkov:skip=CKV2_AWS_53:The container checks bodies; API Gateway cannot look into images and tensors
  rest_api_id   = aws_api_gateway_rest_api.this.id
  resource_id   = aws_api_gateway_resource.invocations.id
  http_method   = "POST"
  authorization = "AWS_IAM"

  request_parameters = {
    "method.request.header.Accept"       = false
    "method.request.header.Content-Type" = true
  }
}

resource "aws_iam_role" "api" {
  name        = "${var.name}-api"
  description = "The private API ${var.name} calls the SageMaker endpoint ${var.endpoint_name}"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Api"
      Effect    = "Allow"
      Principal = { Service = "apigateway.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account_id } }
    }]
  })
}

resource "aws_iam_role_policy" "api" {
  name = "invoke"
  role = aws_iam_role.api.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "Invoke"
      Effect   = "Allow"
      Action   = "sagemaker:InvokeEndpoint"
      Resource = "arn:${local.partition}:sagemaker:${local.region}:${local.account_id}:endpoint/${var.endpoint_name}"
    }]
  })
}

resource "aws_api_gateway_integration" "sagemaker" {
  rest_api_id             = aws_api_gateway_rest_api.this.id
  resource_id             = aws_api_gateway_resource.invocations.id
  http_method             = aws_api_gateway_method.invoke.http_method
  type                    = "AWS"
  integration_http_method = "POST"
  uri                     = "arn:${local.partition}:apigateway:${local.region}:runtime.sagemaker:path/endpoints/${var.endpoint_name}/invocations"
  credentials             = aws_iam_role.api.arn
  passthrough_behavior    = "WHEN_NO_TEMPLATES"
  timeout_milliseconds    = 29000

  request_parameters = {
    "integration.request.header.Accept"       = "method.request.header.Accept"
    "integration.request.header.Content-Type" = "method.request.header.Content-Type"
  }
}

locals {
  # What SageMaker answers. 424 carries the container's own status and body.
  answers = { "200" = null, "400" = "400", "424" = "424", "429" = "429", "500" = "500", "503" = "503" }
}

resource "aws_api_gateway_method_response" "answer" {
  for_each = local.answers

  rest_api_id = aws_api_gateway_rest_api.this.id
  resource_id = aws_api_gateway_resource.invocations.id
  http_method = aws_api_gateway_method.invoke.http_method
  status_code = each.key

  response_parameters = { "method.response.header.Content-Type" = true }
}

resource "aws_api_gateway_integration_response" "answer" {
  for_each = local.answers

  rest_api_id       = aws_api_gateway_rest_api.this.id
  resource_id       = aws_api_gateway_resource.invocations.id
  http_method       = aws_api_gateway_method.invoke.http_method
  status_code       = aws_api_gateway_method_response.answer[each.key].status_code
  selection_pattern = each.value

  response_parameters = { "method.response.header.Content-Type" = "integration.response.header.Content-Type" }

  depends_on = [aws_api_gateway_integration.sagemaker]
}

resource "aws_api_gateway_deployment" "this" {
  rest_api_id = aws_api_gateway_rest_api.this.id

  triggers = {
    parts = sha1(jsonencode([
      aws_api_gateway_rest_api_policy.this.policy,
      aws_api_gateway_method.invoke,
      aws_api_gateway_integration.sagemaker,
      aws_api_gateway_integration_response.answer,
    ]))
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_api_gateway_stage" "live" {
  #checkov:skip=CKV2_AWS_77:The firewall has the rule on Log4j; see CKV_AWS_192
  #checkov:skip=CKV_AWS_120:Answers to images are not cached: no two requests are alike, and a cache would keep what people send
  #checkov:skip=CKV2_AWS_51:Callers prove who they are by their IAM signature, which client certificates of the gateway do not do
  rest_api_id          = aws_api_gateway_rest_api.this.id
  deployment_id        = aws_api_gateway_deployment.this.id
  stage_name           = var.stage
  xray_tracing_enabled = true

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn
    # Who, when, how long and how it ended; never a body.
    format = jsonencode({
      time    = "$context.requestTime"
      id      = "$context.requestId"
      caller  = "$context.identity.userArn"
      vpce    = "$context.identity.vpceId"
      status  = "$context.status"
      latency = "$context.responseLatency"
      waf     = "$context.waf.status"
    })
  }

  depends_on = [aws_api_gateway_account.logs]
}

resource "aws_api_gateway_method_settings" "all" {
  #checkov:skip=CKV_AWS_225:Answers are not cached, see CKV_AWS_120
  rest_api_id = aws_api_gateway_rest_api.this.id
  stage_name  = aws_api_gateway_stage.live.stage_name
  method_path = "*/*"

  settings {
    logging_level      = "ERROR"
    metrics_enabled    = true
    data_trace_enabled = false

    throttling_rate_limit  = var.requests_per_second
    throttling_burst_limit = 2 * var.requests_per_second
  }
}

# --- Logs ------------------------------------------------------------------------------------------------------------

resource "aws_cloudwatch_log_group" "access" {
  #checkov:skip=CKV_AWS_338:Operational logs are kept 30 days; who called what is in the audit trail of module observability
  name              = "/strongroom/${var.name}/api"
  retention_in_days = 30
  kms_key_id        = var.kms_key_arn
}

# API Gateway writes the logs of all its APIs in an account and Region with one role.
resource "aws_iam_role" "logs" {
  count = var.set_account_log_role ? 1 : 0

  name        = "${var.name}-api-logs"
  description = "API Gateway writes its logs"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Api"
      Effect    = "Allow"
      Principal = { Service = "apigateway.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account_id } }
    }]
  })
}

resource "aws_iam_role_policy" "logs" {
  count = var.set_account_log_role ? 1 : 0

  name = "write"
  role = aws_iam_role.logs[0].name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid    = "Write"
      Effect = "Allow"
      Action = [
        "logs:CreateLogGroup",
        "logs:CreateLogStream",
        "logs:DescribeLogGroups",
        "logs:DescribeLogStreams",
        "logs:FilterLogEvents",
        "logs:GetLogEvents",
        "logs:PutLogEvents",
      ]
      Resource = [
        "arn:${local.partition}:logs:${local.region}:${local.account_id}:log-group:/strongroom/${var.name}/api*",
        "arn:${local.partition}:logs:${local.region}:${local.account_id}:log-group:API-Gateway-Execution-Logs_*",
        "arn:${local.partition}:logs:${local.region}:${local.account_id}:log-group:/aws/apigateway/*",
      ]
    }]
  })
}

resource "aws_api_gateway_account" "logs" {
  count = var.set_account_log_role ? 1 : 0

  cloudwatch_role_arn = aws_iam_role.logs[0].arn

  depends_on = [aws_iam_role_policy.logs]
}

# --- The firewall ----------------------------------------------------------------------------------------------------

locals {
  # Samples would hold pieces of requests.
  visible = { CloudWatchMetricsEnabled = true, SampledRequestsEnabled = false }
}

resource "aws_wafv2_web_acl" "this" {
  #checkov:skip=CKV_AWS_175:It has three rules, in rule_json, which checkov does not read; the module's test does
  #checkov:skip=CKV_AWS_192:AWSManagedRulesKnownBadInputsRuleSet has the rule on Log4j; see CKV_AWS_175
  name        = var.name
  description = "Before the private API ${var.name}"
  scope       = "REGIONAL"

  default_action {
    allow {}
  }

  rule_json = jsonencode([
    {
      Name             = "rate"
      Priority         = 0
      Action           = { Block = {} }
      Statement        = { RateBasedStatement = { AggregateKeyType = "IP", Limit = max(100, 300 * var.requests_per_second) } }
      VisibilityConfig = merge(local.visible, { MetricName = "${var.name}-rate" })
    },
    {
      Name             = "known-bad-inputs"
      Priority         = 1
      OverrideAction   = { None = {} }
      Statement        = { ManagedRuleGroupStatement = { VendorName = "AWS", Name = "AWSManagedRulesKnownBadInputsRuleSet" } }
      VisibilityConfig = merge(local.visible, { MetricName = "${var.name}-known-bad-inputs" })
    },
    {
      Name           = "common"
      Priority       = 2
      OverrideAction = { None = {} }
      Statement = { ManagedRuleGroupStatement = {
        VendorName = "AWS"
        Name       = "AWSManagedRulesCommonRuleSet"
        # Bodies are images and tensors: large, and none of what these look for.
        RuleActionOverrides = [
          for name in ["CrossSiteScripting_BODY", "EC2MetaDataSSRF_BODY", "GenericLFI_BODY", "GenericRFI_BODY", "SizeRestrictions_BODY"] :
          { Name = name, ActionToUse = { Count = {} } }
        ]
      } }
      VisibilityConfig = merge(local.visible, { MetricName = "${var.name}-common" })
    },
  ])

  visibility_config {
    cloudwatch_metrics_enabled = true
    metric_name                = var.name
    sampled_requests_enabled   = false
  }
}

resource "aws_wafv2_web_acl_association" "this" {
  resource_arn = aws_api_gateway_stage.live.arn
  web_acl_arn  = aws_wafv2_web_acl.this.arn
}

resource "aws_cloudwatch_log_group" "waf" {
  #checkov:skip=CKV_AWS_338:Operational logs are kept 30 days; who called what is in the audit trail of module observability
  name              = "aws-waf-logs-${var.name}"
  retention_in_days = 30
  kms_key_id        = var.kms_key_arn
}

resource "aws_wafv2_web_acl_logging_configuration" "this" {
  resource_arn            = aws_wafv2_web_acl.this.arn
  log_destination_configs = [aws_cloudwatch_log_group.waf.arn]

  redacted_fields {
    single_header {
      name = "authorization"
    }
  }
}
