module "kms" {
  source = "../kms"

  name        = var.name
  description = "Signs entries of a registry's log, or models"
  signs       = true
  policies = [jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "SignDigests"
        Effect    = "Allow"
        Principal = { AWS = var.signer_role_arns }
        Action    = "kms:Sign"
        Resource  = "*"
        Condition = local.digests
      },
      {
        Sid       = "ReadThePublicHalf"
        Effect    = "Allow"
        Principal = { AWS = var.signer_role_arns }
        Action    = "kms:GetPublicKey"
        Resource  = "*"
      },
    ]
  })]
}

locals {
  # What `strongroom` has KMS sign.
  digests = { StringEquals = { "kms:MessageType" = "DIGEST", "kms:SigningAlgorithm" = "ECDSA_SHA_256" } }

  signer_policy = [
    {
      Sid       = "SignDigests"
      Effect    = "Allow"
      Action    = "kms:Sign"
      Resource  = module.kms.arn
      Condition = local.digests
    },
    {
      Sid      = "ReadThePublicHalf"
      Effect   = "Allow"
      Action   = "kms:GetPublicKey"
      Resource = module.kms.arn
    },
  ]
}
