# Batch transform: a model for jobs, which start instances, answer a bucket full of requests and end.
data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  suffix       = "${data.aws_caller_identity.current.account_id}-${var.region}"
  registry     = "${var.name}-registry-${local.suffix}"
  registry_arn = "arn:${data.aws_partition.current.partition}:s3:::${local.registry}"
  records      = "${var.name}-records-${local.suffix}"
  records_arn  = "arn:${data.aws_partition.current.partition}:s3:::${local.records}"
  secret_name  = "${var.name}/kek"
  image_uri    = var.image_digest == null ? null : "${module.image.repository_url}@${var.image_digest}"
}

module "observability" {
  source = "../../modules/observability"

  name              = var.name
  endpoint_name     = var.name
  in_service        = false # there is no endpoint
  bucket_arns       = [local.registry_arn, local.records_arn]
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
  bucket_arns        = [local.registry_arn, local.records_arn]
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

# Requests under in/, answers under out/.
module "records" {
  source = "../../modules/bucket"

  name        = local.records
  kms_key_arn = module.observability.kms_key_arn
  expire_days = 30
}

module "endpoint" {
  source = "../../modules/endpoint"

  name      = var.name
  hosting   = "batch-transform"
  image_uri = local.image_uri
  registry  = module.registry.uri
  model     = var.model
  key       = module.keys.setting

  policies = {
    registry = module.registry.reader_policy
    keys     = module.keys.reader_policy
    image    = module.image.pull_policy
    records  = jsonencode({ Version = "2012-10-17", Statement = local.records_policy })
  }

  subnet_ids         = module.network.subnet_ids
  security_group_ids = [module.network.model_security_group_id]
  kms_key_arn        = module.observability.kms_key_arn
}

locals {
  records_policy = [
    {
      Sid      = "ReadRecords"
      Effect   = "Allow"
      Action   = "s3:GetObject"
      Resource = "${local.records_arn}/in/*"
    },
    {
      Sid       = "ListRecords"
      Effect    = "Allow"
      Action    = "s3:ListBucket"
      Resource  = local.records_arn
      Condition = { StringLike = { "s3:prefix" = "in/*" } }
    },
    {
      Sid      = "WriteAnswers"
      Effect   = "Allow"
      Action   = ["s3:AbortMultipartUpload", "s3:PutObject"]
      Resource = "${local.records_arn}/out/*"
    },
    {
      Sid       = "SealAndOpenRecords"
      Effect    = "Allow"
      Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource  = module.observability.kms_key_arn
      Condition = { StringEquals = { "kms:ViaService" = "s3.${var.region}.amazonaws.com" } }
    },
  ]

  # Terraform has no transform jobs: they are runs, not things. One for rows of JSON Lines:
  job = {
    TransformJobName = "${var.name}-1"
    ModelName        = module.endpoint.model_name
    BatchStrategy    = "MultiRecord"
    TransformInput = {
      ContentType = "application/jsonlines"
      SplitType   = "Line"
      DataSource  = { S3DataSource = { S3DataType = "S3Prefix", S3Uri = "s3://${module.records.name}/in/" } }
    }
    TransformOutput = {
      Accept       = "application/jsonlines"
      AssembleWith = "Line"
      S3OutputPath = "s3://${module.records.name}/out/"
      KmsKeyId     = module.observability.kms_key_arn
    }
    TransformResources = {
      InstanceType   = "ml.c5.xlarge"
      InstanceCount  = 2
      VolumeKmsKeyId = module.observability.kms_key_arn
    }
  }
}
