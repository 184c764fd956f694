# A serverless endpoint: no instances, no VPC. It scales to nothing, starts in seconds, and takes bodies of up to 4 MB.
data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  suffix       = "${data.aws_caller_identity.current.account_id}-${var.region}"
  registry     = "${var.name}-registry-${local.suffix}"
  registry_arn = "arn:${data.aws_partition.current.partition}:s3:::${local.registry}"
  secret_name  = "${var.name}/kek"
  image_uri    = var.image_digest == null ? null : "${module.image.repository_url}@${var.image_digest}"
}

module "observability" {
  source = "../../modules/observability"

  name              = var.name
  endpoint_name     = var.name
  in_service        = false # no instances, no ping
  bucket_arns       = [local.registry_arn]
  secret_name       = local.secret_name
  trail_bucket_name = "${var.name}-trail-${local.suffix}"
}

module "image" {
  source = "../../modules/image"

  name        = var.name
  kms_key_arn = module.observability.kms_key_arn
}

module "registry" {
  source = "../../modules/registry"

  bucket_name         = local.registry
  prefix              = "prod"
  reader_role_arns    = [module.endpoint.execution_role_arn]
  publisher_role_arns = var.publisher_role_arns
}

module "keys" {
  source = "../../modules/keys"

  name                = local.secret_name
  reader_role_arns    = [module.endpoint.execution_role_arn]
  publisher_role_arns = var.publisher_role_arns
}

module "endpoint" {
  source = "../../modules/endpoint"

  name       = var.name
  hosting    = "serverless"
  image_uri  = local.image_uri
  registry   = module.registry.uri
  model      = var.model
  key        = module.keys.setting
  serverless = var.serverless

  policies = {
    registry = module.registry.reader_policy
    keys     = module.keys.reader_policy
    image    = module.image.pull_policy
  }
}
