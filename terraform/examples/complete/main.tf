data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  account_id  = data.aws_caller_identity.current.account_id
  bucket_name = "${var.name}-registry-${local.account_id}-${var.region}"
  bucket_arn  = "arn:${data.aws_partition.current.partition}:s3:::${local.bucket_name}"
  secret_name = "${var.name}/kek"
  zones       = coalesce(var.availability_zones, [for zone in ["a", "b"] : "${var.region}${zone}"])

  # Until there is an image, a key and a published model, an endpoint would only fail to start.
  image_uri = var.image_digest == null ? null : "${module.image.repository_url}@${var.image_digest}"
}

module "observability" {
  source = "../../modules/observability"

  name              = var.name
  endpoint_name     = var.name
  in_service        = var.image_digest != null
  bucket_arns       = [local.bucket_arn]
  secret_name       = local.secret_name
  trail_bucket_name = "${var.name}-trail-${local.account_id}-${var.region}"
  alarm_emails      = var.alarm_emails
}

module "image" {
  source = "../../modules/image"

  name        = var.name
  kms_key_arn = module.observability.kms_key_arn
}

module "network" {
  source = "../../modules/network"

  name               = var.name
  availability_zones = local.zones
  bucket_arns        = [local.bucket_arn]
  secret_arns        = [module.keys.secret_arn]
  endpoint_names     = [var.name]
  kms_key_arn        = module.observability.kms_key_arn

  caller_security_group_ids = { callers = aws_security_group.callers.id }
}

module "registry" {
  source = "../../modules/registry"

  bucket_name             = local.bucket_name
  prefix                  = var.environment
  reader_role_arns        = [module.endpoint.execution_role_arn]
  publisher_role_arns     = [aws_iam_role.publisher.arn]
  reader_vpc_endpoint_ids = [module.network.s3_endpoint_id]
}

module "keys" {
  source = "../../modules/keys"

  name                    = local.secret_name
  reader_role_arns        = [module.endpoint.execution_role_arn]
  publisher_role_arns     = [aws_iam_role.publisher.arn]
  reader_vpc_endpoint_ids = [module.network.interface_endpoint_ids["secretsmanager"]]
}

module "endpoint" {
  source = "../../modules/endpoint"

  name      = var.name
  image_uri = local.image_uri
  registry  = module.registry.uri
  model     = var.model
  key       = module.keys.setting
  sandbox   = var.sandbox

  policies = {
    registry = module.registry.reader_policy
    keys     = module.keys.reader_policy
    image    = module.image.pull_policy
  }

  instance_type   = var.instance_type
  capacity        = var.capacity
  deployment      = var.deployment
  rollback_alarms = module.observability.rollback_alarms

  subnet_ids         = module.network.subnet_ids
  security_group_ids = [module.network.model_security_group_id]
  kms_key_arn        = module.observability.kms_key_arn
}

# --- Who publishes ---------------------------------------------------------------------------------------------------

# From a laptop: people take this role on.
resource "aws_iam_role" "publisher" {
  name                 = "${var.name}-publisher"
  description          = "Puts keys, pushes images, publishes models and deploys them"
  max_session_duration = 3600

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Publishers"
      Effect    = "Allow"
      Principal = { AWS = var.publisher_arns }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "publisher" {
  for_each = {
    registry = module.registry.publisher_policy
    keys     = module.keys.publisher_policy
    image    = module.image.push_policy
    endpoint = module.endpoint.deploy_policy
  }

  name   = each.key
  role   = aws_iam_role.publisher.name
  policy = each.value
}

# --- Who releases images ---------------------------------------------------------------------------------------------

# Workflows of one GitHub repository, in one environment of it. They push and sign images, and have no part in the key or
# the models.
module "github" {
  source = "../../modules/github_oidc"
  count  = var.github == null ? 0 : 1

  name            = "${var.name}-github"
  repository      = var.github.repository
  subjects        = ["environment:${var.github.environment}"]
  create_provider = var.github.create_provider
  policies        = { image = module.image.push_policy }
}

# --- Who calls -------------------------------------------------------------------------------------------------------

# Attach it to what calls the endpoint from within the VPC.
resource "aws_security_group" "callers" {
  #checkov:skip=CKV2_AWS_5:For the callers' own instances, functions or tasks
  name        = "${var.name}-callers"
  description = "Callers of ${var.name}: out to the interface endpoints, nothing in"
  vpc_id      = module.network.vpc_id

  tags = { Name = "${var.name}-callers" }
}

resource "aws_vpc_security_group_egress_rule" "callers" {
  security_group_id            = aws_security_group.callers.id
  description                  = "Interface endpoints"
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  referenced_security_group_id = module.network.endpoints_security_group_id
}
