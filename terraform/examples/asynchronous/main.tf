# An asynchronous endpoint: requests of up to 1 GB wait in a queue, answers come to lie in S3, and without requests there is
# no instance to pay for.
data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  suffix       = "${data.aws_caller_identity.current.account_id}-${var.region}"
  registry     = "${var.name}-registry-${local.suffix}"
  registry_arn = "arn:${data.aws_partition.current.partition}:s3:::${local.registry}"
  results      = "${var.name}-results-${local.suffix}"
  results_arn  = "arn:${data.aws_partition.current.partition}:s3:::${local.results}"
  secret_name  = "${var.name}/kek"
  image_uri    = var.image_digest == null ? null : "${module.image.repository_url}@${var.image_digest}"
}

module "observability" {
  source = "../../modules/observability"

  name              = var.name
  endpoint_name     = var.name
  in_service        = false # without requests there is no instance
  bucket_arns       = [local.registry_arn, local.results_arn]
  secret_name       = local.secret_name
  trail_bucket_name = "${var.name}-trail-${local.suffix}"
  # Of the whole time that a request may take.
  max_latency_p99_ms  = 600000
  max_latency_mean_ms = 300000
}

module "image" {
  source = "../../modules/image"

  name        = var.name
  kms_key_arn = module.observability.kms_key_arn
}

module "network" {
  source = "../../modules/network"

  name               = var.name
  availability_zones = ["${var.region}a", "${var.region}b"]
  services           = ["secretsmanager"]
  bucket_arns        = [local.registry_arn, local.results_arn]
  secret_arns        = [module.keys.secret_arn]
  endpoint_names     = [var.name]
  kms_key_arn        = module.observability.kms_key_arn
}

module "registry" {
  source = "../../modules/registry"

  bucket_name             = local.registry
  prefix                  = "prod"
  reader_role_arns        = [module.endpoint.execution_role_arn]
  publisher_role_arns     = var.publisher_role_arns
  reader_vpc_endpoint_ids = [module.network.s3_endpoint_id]
}

module "keys" {
  source = "../../modules/keys"

  name                    = local.secret_name
  reader_role_arns        = [module.endpoint.execution_role_arn]
  publisher_role_arns     = var.publisher_role_arns
  reader_vpc_endpoint_ids = [module.network.interface_endpoint_ids["secretsmanager"]]
}

# Requests under in/, answers under out/, failures under failed/.
module "results" {
  source = "../../modules/bucket"

  name        = local.results
  kms_key_arn = module.observability.kms_key_arn
  expire_days = 30
}

module "endpoint" {
  source = "../../modules/endpoint"

  name      = var.name
  hosting   = "asynchronous"
  image_uri = local.image_uri
  registry  = module.registry.uri
  model     = var.model
  key       = module.keys.setting

  asynchronous = {
    output_uri  = "s3://${module.results.name}/out/"
    failure_uri = "s3://${module.results.name}/failed/"
    kms_key_arn = module.observability.kms_key_arn
  }

  policies = {
    registry = module.registry.reader_policy
    keys     = module.keys.reader_policy
    image    = module.image.pull_policy
    results  = jsonencode({ Version = "2012-10-17", Statement = local.results_policy })
  }

  # An instance more for each five requests that wait; none when none does.
  capacity        = { min = 0, max = 10, target = 5 }
  rollback_alarms = module.observability.rollback_alarms

  subnet_ids         = module.network.subnet_ids
  security_group_ids = [module.network.model_security_group_id]
  kms_key_arn        = module.observability.kms_key_arn
}

locals {
  results_policy = [
    {
      Sid      = "ReadRequests"
      Effect   = "Allow"
      Action   = "s3:GetObject"
      Resource = "${local.results_arn}/in/*"
    },
    {
      Sid      = "WriteResults"
      Effect   = "Allow"
      Action   = ["s3:AbortMultipartUpload", "s3:PutObject"]
      Resource = ["${local.results_arn}/failed/*", "${local.results_arn}/out/*"]
    },
    {
      Sid       = "SealAndOpenResults"
      Effect    = "Allow"
      Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource  = module.observability.kms_key_arn
      Condition = { StringEquals = { "kms:ViaService" = "s3.${var.region}.amazonaws.com" } }
    },
  ]
}
