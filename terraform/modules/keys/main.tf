data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  region     = data.aws_region.current.id

  through_secrets_manager = { "kms:ViaService" = "secretsmanager.${local.region}.amazonaws.com" }
  # Secrets Manager adds six characters to a name. The ARN itself is known only after the KMS key.
  this_secret = { "kms:EncryptionContext:SecretARN" = "arn:${local.partition}:secretsmanager:${local.region}:${local.account_id}:secret:${var.name}-??????" }

  roles = concat(var.reader_role_arns, var.publisher_role_arns)
}

module "kms" {
  source = "../kms"

  name        = replace(var.name, "_", "-")
  description = "The sealing key in the secret ${var.name}"
  policies = [jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "ReadTheSecret"
        Effect    = "Allow"
        Principal = { AWS = local.roles }
        Action    = "kms:Decrypt"
        Resource  = "*"
        Condition = { StringEquals = local.through_secrets_manager, StringLike = local.this_secret }
      },
      {
        Sid       = "WriteTheSecret"
        Effect    = "Allow"
        Principal = { AWS = var.publisher_role_arns }
        Action    = "kms:GenerateDataKey"
        Resource  = "*"
        Condition = { StringEquals = local.through_secrets_manager, StringLike = local.this_secret }
      },
      # Secrets Manager tries the key when a secret is given it, on behalf of whoever does that: on a context of its own,
      # which no version of a secret has.
      {
        Sid       = "TryTheKey"
        Effect    = "Allow"
        Principal = { AWS = "arn:${local.partition}:iam::${local.account_id}:root" }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = "*"
        Condition = {
          StringEquals = merge(local.through_secrets_manager, { "kms:EncryptionContext:SecretVersionId" = "RequestToValidateKeyAccess" })
          StringLike   = local.this_secret
        }
      },
    ]
  })]
}

# No aws_secretsmanager_secret_version: a key that Terraform knows is a key in its state.
resource "aws_secretsmanager_secret" "this" {
  #checkov:skip=CKV2_AWS_57:A rotation Lambda would replace the key and leave every keyslot sealed under the old one; `strongroom rotate` puts the new version and writes the keyslots
  name                    = var.name
  description             = "Strongroom key-encryption key. Its versions are keys: 32 bytes each"
  kms_key_id              = module.kms.arn
  recovery_window_in_days = 30
}

resource "aws_secretsmanager_secret_policy" "this" {
  secret_arn          = aws_secretsmanager_secret.this.arn
  block_public_policy = true

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat(local.rules, local.network_rules)
  })
}

locals {
  # Denied are values, not the secret's policy: an administrator who has locked everybody out can change it, which the
  # audit trail shows.
  rules = [
    {
      Sid       = "Read"
      Effect    = "Allow"
      Principal = { AWS = local.roles }
      Action    = "secretsmanager:GetSecretValue"
      Resource  = aws_secretsmanager_secret.this.arn
    },
    {
      Sid       = "DenyReadingByOthers"
      Effect    = "Deny"
      Principal = "*"
      Action    = "secretsmanager:GetSecretValue"
      Resource  = aws_secretsmanager_secret.this.arn
      Condition = { StringNotEquals = { "aws:PrincipalArn" = local.roles } }
    },
    {
      Sid       = "DenyWritingByOthers"
      Effect    = "Deny"
      Principal = "*"
      Action = [
        "secretsmanager:PutSecretValue",
        "secretsmanager:RotateSecret",
        "secretsmanager:UpdateSecretVersionStage",
      ]
      Resource  = aws_secretsmanager_secret.this.arn
      Condition = { StringNotEquals = { "aws:PrincipalArn" = var.publisher_role_arns } }
    },
    {
      Sid       = "DenyInsecureTransport"
      Effect    = "Deny"
      Principal = "*"
      Action    = "secretsmanager:*"
      Resource  = aws_secretsmanager_secret.this.arn
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    },
  ]

  network_rules = length(var.reader_vpc_endpoint_ids) == 0 ? [] : [{
    Sid       = "DenyReadersElsewhere"
    Effect    = "Deny"
    Principal = "*"
    Action    = "secretsmanager:GetSecretValue"
    Resource  = aws_secretsmanager_secret.this.arn
    Condition = {
      StringEquals    = { "aws:PrincipalArn" = var.reader_role_arns }
      StringNotEquals = { "aws:SourceVpce" = var.reader_vpc_endpoint_ids }
    }
  }]

  open = {
    Sid       = "OpenTheSecret"
    Effect    = "Allow"
    Action    = "kms:Decrypt"
    Resource  = module.kms.arn
    Condition = { StringEquals = local.through_secrets_manager, StringLike = local.this_secret }
  }

  reader_policy = [
    {
      Sid      = "ReadTheSealingKey"
      Effect   = "Allow"
      Action   = "secretsmanager:GetSecretValue"
      Resource = aws_secretsmanager_secret.this.arn
    },
    local.open,
  ]

  publisher_policy = [
    {
      Sid    = "ReadAndPutTheSealingKey"
      Effect = "Allow"
      Action = [
        "secretsmanager:DescribeSecret",
        "secretsmanager:GetSecretValue",
        "secretsmanager:ListSecretVersionIds",
        "secretsmanager:PutSecretValue",
        "secretsmanager:UpdateSecretVersionStage",
      ]
      Resource = aws_secretsmanager_secret.this.arn
    },
    merge(local.open, { Action = ["kms:Decrypt", "kms:GenerateDataKey"] }),
  ]
}
