data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  bucket_arn = "arn:${data.aws_partition.current.partition}:s3:::${var.bucket_name}"
  root       = "${local.bucket_arn}/${var.prefix}"
  blobs      = "${local.root}/blobs/*"
  keyslots   = "${local.root}/keyslots/*"
  log        = "${local.root}/log/*"
  aliases    = "${local.root}/aliases/*"
  kinds      = [local.blobs, local.keyslots, local.log, local.aliases]

  # The program lists these two. `IfExists`: where an object is missing, S3 answers 404, which the program understands,
  # only to whom ListBucket is allowed, and a request for an object has no s3:prefix.
  listing = {
    Sid       = "ListLogAndKeyslots"
    Effect    = "Allow"
    Action    = "s3:ListBucket"
    Resource  = local.bucket_arn
    Condition = { StringLikeIfExists = { "s3:prefix" = ["${var.prefix}/log/*", "${var.prefix}/keyslots/*"] } }
  }

  # S3's own use of the key, for this bucket. With a bucket key the context names the bucket, else the object.
  through_s3 = {
    StringEquals = { "kms:ViaService" = "s3.${data.aws_region.current.id}.amazonaws.com" }
    StringLike   = { "kms:EncryptionContext:aws:s3:arn" = [local.bucket_arn, "${local.root}/*"] }
  }
}

module "kms" {
  source = "../kms"

  name        = "${var.bucket_name}-registry"
  description = "Objects of the registry s3://${var.bucket_name}/${var.prefix}"
  policies = [jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "ReadObjects"
        Effect    = "Allow"
        Principal = { AWS = concat(var.reader_role_arns, var.publisher_role_arns) }
        Action    = "kms:Decrypt"
        Resource  = "*"
        Condition = local.through_s3
      },
      {
        Sid       = "WriteObjects"
        Effect    = "Allow"
        Principal = { AWS = var.publisher_role_arns }
        Action    = "kms:GenerateDataKey"
        Resource  = "*"
        Condition = local.through_s3
      },
    ]
  })]
}

module "bucket" {
  source = "../bucket"

  name        = var.bucket_name
  kms_key_arn = module.kms.arn
  object_lock = true

  # An erased keyslot must not live on as a noncurrent version: erasing is destroying the artifact's key.
  noncurrent_days = {
    "${var.prefix}/keyslots/" = 1
    "${var.prefix}/aliases/"  = 90
  }

  policies = [jsonencode({ Version = "2012-10-17", Statement = concat(local.rules, local.network_rules) })]
}

locals {
  rules = [
    # Sealed files, keyslots and log entries are created once. The parts of an upload carry no condition; the request
    # that makes an object of them does.
    {
      Sid       = "DenyOverwriting"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:PutObject"
      Resource  = [local.blobs, local.keyslots, local.log]
      Condition = {
        Null = { "s3:if-none-match" = "true" }
        Bool = { "s3:ObjectCreationOperation" = "true" }
      }
    },
    # An alias is created once, then replaced by whoever read what it was.
    {
      Sid       = "DenyBlindMoves"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:PutObject"
      Resource  = local.aliases
      Condition = {
        Null = { "s3:if-none-match" = "true", "s3:if-match" = "true" }
        Bool = { "s3:ObjectCreationOperation" = "true" }
      }
    },
    {
      Sid         = "DenyOtherKeys"
      Effect      = "Deny"
      Principal   = "*"
      Action      = "s3:PutObject"
      NotResource = local.kinds
    },
    # Whatever another policy of the account allows, nobody else reads or writes: other environments, administrators.
    {
      Sid       = "DenyOthers"
      Effect    = "Deny"
      Principal = "*"
      Action = [
        "s3:GetObject",
        "s3:GetObjectVersion",
        "s3:PutObject",
        "s3:PutObjectRetention",
      ]
      Resource  = "${local.bucket_arn}/*"
      Condition = { StringNotEquals = { "aws:PrincipalArn" = concat(var.reader_role_arns, var.publisher_role_arns) } }
    },
    {
      Sid       = "DenyWritingByReaders"
      Effect    = "Deny"
      Principal = "*"
      Action    = ["s3:PutObject", "s3:PutObjectRetention", "s3:DeleteObject", "s3:DeleteObjectVersion"]
      Resource  = "${local.bucket_arn}/*"
      Condition = { StringEquals = { "aws:PrincipalArn" = var.reader_role_arns } }
    },
    {
      Sid       = "DenyRemovingHistory"
      Effect    = "Deny"
      Principal = "*"
      Action    = ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"]
      Resource  = [local.blobs, local.log]
    },
    # A retained keyslot could not be erased.
    {
      Sid       = "DenyRetainingKeyslots"
      Effect    = "Deny"
      Principal = "*"
      Action    = ["s3:PutObjectRetention", "s3:PutObjectLegalHold"]
      Resource  = local.keyslots
    },
  ]

  network_rules = length(var.reader_vpc_endpoint_ids) == 0 ? [] : [{
    Sid       = "DenyReadersElsewhere"
    Effect    = "Deny"
    Principal = "*"
    Action    = ["s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket"]
    Resource  = [local.bucket_arn, "${local.bucket_arn}/*"]
    Condition = {
      StringEquals    = { "aws:PrincipalArn" = var.reader_role_arns }
      StringNotEquals = { "aws:SourceVpce" = var.reader_vpc_endpoint_ids }
    }
  }]

  reader_policy = [
    {
      Sid      = "ReadRegistry"
      Effect   = "Allow"
      Action   = "s3:GetObject"
      Resource = "${local.root}/*"
    },
    local.listing,
    {
      Sid       = "OpenRegistryObjects"
      Effect    = "Allow"
      Action    = "kms:Decrypt"
      Resource  = module.kms.arn
      Condition = local.through_s3
    },
  ]

  # Beside the publisher's: what lists everything, and what erases. Blobs and the log stay.
  upkeep_policy = [
    {
      Sid       = "ListEverything"
      Effect    = "Allow"
      Action    = ["s3:ListBucket", "s3:ListBucketVersions"]
      Resource  = local.bucket_arn
      Condition = { StringLike = { "s3:prefix" = "${var.prefix}/*" } }
    },
    {
      Sid      = "EraseKeyslots"
      Effect   = "Allow"
      Action   = ["s3:DeleteObject", "s3:DeleteObjectVersion"]
      Resource = local.keyslots
    },
  ]

  publisher_policy = [
    {
      Sid      = "ReadAndWriteRegistry"
      Effect   = "Allow"
      Action   = ["s3:GetObject", "s3:PutObject"]
      Resource = local.kinds
    },
    {
      Sid      = "AbortUploads"
      Effect   = "Allow"
      Action   = "s3:AbortMultipartUpload"
      Resource = local.blobs
    },
    {
      Sid       = "RetainHistory"
      Effect    = "Allow"
      Action    = "s3:PutObjectRetention"
      Resource  = [local.blobs, local.log]
      Condition = { NumericLessThanEquals = { "s3:object-lock-remaining-retention-days" = var.max_retention_days } }
    },
    {
      Sid      = "SeeRetention"
      Effect   = "Allow"
      Action   = "s3:GetObjectRetention"
      Resource = [local.blobs, local.log]
    },
    local.listing,
    {
      Sid       = "SealAndOpenRegistryObjects"
      Effect    = "Allow"
      Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource  = module.kms.arn
      Condition = local.through_s3
    },
  ]
}
