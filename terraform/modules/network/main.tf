data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  region     = data.aws_region.current.id
}

# Private subnets only. There is no gateway to the internet and no address translation: what is not an endpoint below
# cannot be reached.
resource "aws_vpc" "this" {
  cidr_block           = var.cidr_block
  enable_dns_support   = true
  enable_dns_hostnames = true

  tags = { Name = var.name }
}

# The default group would let everything in it talk to everything.
resource "aws_default_security_group" "this" {
  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name}-default-closed" }
}

resource "aws_subnet" "private" {
  for_each = { for index, zone in var.availability_zones : zone => cidrsubnet(var.cidr_block, 4, index) }

  vpc_id                  = aws_vpc.this.id
  availability_zone       = each.key
  cidr_block              = each.value
  map_public_ip_on_launch = false

  tags = { Name = "${var.name}-${each.key}" }
}

resource "aws_route_table" "private" {
  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name}-private" }
}

resource "aws_route_table_association" "private" {
  for_each = aws_subnet.private

  subnet_id      = each.value.id
  route_table_id = aws_route_table.private.id
}

resource "aws_security_group" "model" {
  #checkov:skip=CKV2_AWS_5:The endpoint module attaches it to the model
  name        = "${var.name}-model"
  description = "Model containers: out to endpoints of the VPC, nothing in"
  vpc_id      = aws_vpc.this.id

  tags = { Name = "${var.name}-model" }
}

resource "aws_security_group" "endpoints" {
  name        = "${var.name}-endpoints"
  description = "Interface endpoints: HTTPS from model containers and callers"
  vpc_id      = aws_vpc.this.id

  tags = { Name = "${var.name}-endpoints" }
}

resource "aws_vpc_security_group_egress_rule" "model_to_endpoints" {
  security_group_id            = aws_security_group.model.id
  description                  = "AWS APIs"
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  referenced_security_group_id = aws_security_group.endpoints.id
}

resource "aws_vpc_security_group_egress_rule" "model_to_s3" {
  security_group_id = aws_security_group.model.id
  description       = "S3 by its gateway endpoint"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  prefix_list_id    = aws_vpc_endpoint.s3.prefix_list_id
}

resource "aws_vpc_security_group_ingress_rule" "endpoints_from_model" {
  security_group_id            = aws_security_group.endpoints.id
  description                  = "Model containers"
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  referenced_security_group_id = aws_security_group.model.id
}

resource "aws_vpc_security_group_ingress_rule" "endpoints_from_callers" {
  for_each = var.caller_security_group_ids

  security_group_id            = aws_security_group.endpoints.id
  description                  = "Callers: ${each.key}"
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  referenced_security_group_id = each.value
}

locals {
  # Each condition keeps callers of other accounts out, whose credentials somebody might bring along.
  own_account = { StringEquals = { "aws:PrincipalAccount" = local.account_id } }

  # By service: what may be done through the endpoint, and on what. Anything else is refused there, whatever a role allows.
  services = {
    "secretsmanager" = [
      {
        actions   = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue", "secretsmanager:ListSecretVersionIds", "secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage"]
        resources = var.secret_arns
      },
    ]
    "kms" = [
      {
        actions   = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey", "kms:GetPublicKey", "kms:Sign"]
        resources = ["arn:${local.partition}:kms:${local.region}:${local.account_id}:key/*"]
      },
    ]
    "logs" = [
      {
        actions   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
        resources = ["arn:${local.partition}:logs:${local.region}:${local.account_id}:log-group:/aws/sagemaker/*"]
      },
    ]
    # Neither call has a resource.
    "sts" = [
      {
        actions   = ["sts:GetCallerIdentity"]
        resources = ["*"]
      },
      {
        actions   = ["sts:AssumeRole"]
        resources = ["arn:${local.partition}:iam::${local.account_id}:role/*"]
      },
    ]
    "ecr.api" = [
      {
        actions   = ["ecr:GetAuthorizationToken"]
        resources = ["*"]
      },
      {
        actions   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        resources = ["arn:${local.partition}:ecr:${local.region}:${local.account_id}:repository/*"]
      },
    ]
    "ecr.dkr" = [
      {
        actions   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        resources = ["arn:${local.partition}:ecr:${local.region}:${local.account_id}:repository/*"]
      },
    ]
    "sagemaker.runtime" = [
      {
        actions = ["sagemaker:InvokeEndpoint", "sagemaker:InvokeEndpointAsync", "sagemaker:InvokeEndpointWithResponseStream"]
        # InvokeEndpointAsync and streams are authorised on the endpoint as well.
        resources = [for name in var.endpoint_names : "arn:${local.partition}:sagemaker:${local.region}:${local.account_id}:endpoint/${name}"]
      },
    ]
    "sagemaker.api" = [
      {
        actions   = ["sagemaker:DescribeEndpoint"]
        resources = [for name in var.endpoint_names : "arn:${local.partition}:sagemaker:${local.region}:${local.account_id}:endpoint/${name}"]
      },
    ]
  }

  # Layers of images lie in a bucket of ECR.
  layers = "arn:${local.partition}:s3:::prod-${local.region}-starport-layer-bucket/*"

  s3_statements = concat(
    [
      {
        Sid       = "RegistryObjects"
        Effect    = "Allow"
        Principal = "*"
        Action    = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"]
        Resource  = [for arn in var.bucket_arns : "${arn}/*"]
        Condition = local.own_account
      },
      {
        Sid       = "RegistryLists"
        Effect    = "Allow"
        Principal = "*"
        Action    = ["s3:ListBucket"]
        Resource  = var.bucket_arns
        Condition = local.own_account
      },
    ],
    # ECR signs these requests itself, so that the account is not the caller's.
    contains(var.services, "ecr.api") ? [
      {
        Sid       = "ImageLayers"
        Effect    = "Allow"
        Principal = "*"
        Action    = ["s3:GetObject"]
        Resource  = [local.layers]
      },
    ] : [],
  )
}

resource "aws_vpc_endpoint" "s3" {
  vpc_id            = aws_vpc.this.id
  service_name      = "com.amazonaws.${local.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [aws_route_table.private.id]
  policy            = jsonencode({ Version = "2012-10-17", Statement = local.s3_statements })

  tags = { Name = "${var.name}-s3" }
}

resource "aws_vpc_endpoint" "interface" {
  for_each = var.services

  vpc_id              = aws_vpc.this.id
  service_name        = "com.amazonaws.${local.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = [for subnet in aws_subnet.private : subnet.id]
  security_group_ids  = [aws_security_group.endpoints.id]

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [for index, allowed in local.services[each.key] : {
      Sid       = "Allowed${index}"
      Effect    = "Allow"
      Principal = "*"
      Action    = allowed.actions
      Resource  = allowed.resources
      Condition = local.own_account
    }]
  })

  tags = { Name = "${var.name}-${each.key}" }
}

# Who talked to whom, refused or not.
resource "aws_cloudwatch_log_group" "flow" {
  #checkov:skip=CKV_AWS_338:Traffic is kept as long as other operational logs; what is kept for audits is in module observability
  name              = "/strongroom/${var.name}/flow"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_iam_role" "flow" {
  name        = "${var.name}-flow-log"
  description = "Writes the flow log of the VPC ${var.name}"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "FlowLogs"
      Effect    = "Allow"
      Principal = { Service = "vpc-flow-logs.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = local.account_id } }
    }]
  })
}

resource "aws_iam_role_policy" "flow" {
  name = "write"
  role = aws_iam_role.flow.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "Write"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
      Resource = "${aws_cloudwatch_log_group.flow.arn}:*"
    }]
  })
}

resource "aws_flow_log" "this" {
  vpc_id               = aws_vpc.this.id
  traffic_type         = "ALL"
  log_destination_type = "cloud-watch-logs"
  log_destination      = aws_cloudwatch_log_group.flow.arn
  iam_role_arn         = aws_iam_role.flow.arn
}
