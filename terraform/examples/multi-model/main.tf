# A multi-model endpoint: one fleet for many models, each loaded when it is first asked for. Models are what
# `strongroom export NAME:VERSION -o NAME.tar.gz` writes: sealed, and opened in memory with the same key.
data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  suffix      = "${data.aws_caller_identity.current.account_id}-${var.region}"
  exports     = "${var.name}-exports-${local.suffix}"
  exports_arn = "arn:${data.aws_partition.current.partition}:s3:::${local.exports}"
  secret_name = "${var.name}/kek"
  image_uri   = var.image_digest == null ? null : "${module.image.repository_url}@${var.image_digest}"
}

module "observability" {
  source = "../../modules/observability"

  name              = var.name
  endpoint_name     = var.name
  in_service        = var.image_digest != null
  bucket_arns       = [local.exports_arn]
  secret_name       = local.secret_name
  trail_bucket_name = "${var.name}-trail-${local.suffix}"
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
  bucket_arns        = [local.exports_arn]
  secret_arns        = [module.keys.secret_arn]
  endpoint_names     = [var.name]
  kms_key_arn        = module.observability.kms_key_arn
}

module "keys" {
  source = "../../modules/keys"

  name                    = local.secret_name
  reader_role_arns        = [module.endpoint.execution_role_arn]
  publisher_role_arns     = var.publisher_role_arns
  reader_vpc_endpoint_ids = [module.network.interface_endpoint_ids["secretsmanager"]]
}

module "exports" {
  source = "../../modules/bucket"

  name        = local.exports
  kms_key_arn = module.observability.kms_key_arn
}

module "endpoint" {
  source = "../../modules/endpoint"

  name            = var.name
  image_uri       = local.image_uri
  multi_model_uri = "s3://${module.exports.name}/models/"
  key             = module.keys.setting

  policies = {
    exports = jsonencode({ Version = "2012-10-17", Statement = local.exports_policy })
    keys    = module.keys.reader_policy
    image   = module.image.pull_policy
  }

  rollback_alarms = module.observability.rollback_alarms

  subnet_ids         = module.network.subnet_ids
  security_group_ids = [module.network.model_security_group_id]
  kms_key_arn        = module.observability.kms_key_arn
}

locals {
  exports_policy = [
    {
      Sid      = "ReadExports"
      Effect   = "Allow"
      Action   = "s3:GetObject"
      Resource = "${local.exports_arn}/models/*"
    },
    {
      Sid       = "ListExports"
      Effect    = "Allow"
      Action    = "s3:ListBucket"
      Resource  = local.exports_arn
      Condition = { StringLikeIfExists = { "s3:prefix" = "models/*" } }
    },
    {
      Sid       = "OpenExports"
      Effect    = "Allow"
      Action    = "kms:Decrypt"
      Resource  = module.observability.kms_key_arn
      Condition = { StringEquals = { "kms:ViaService" = "s3.${var.region}.amazonaws.com" } }
    },
  ]

  upload_policy = [
    {
      Sid      = "WriteExports"
      Effect   = "Allow"
      Action   = ["s3:AbortMultipartUpload", "s3:PutObject"]
      Resource = "${local.exports_arn}/models/*"
    },
    {
      Sid       = "SealExports"
      Effect    = "Allow"
      Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource  = module.observability.kms_key_arn
      Condition = { StringEquals = { "kms:ViaService" = "s3.${var.region}.amazonaws.com" } }
    },
  ]
}
