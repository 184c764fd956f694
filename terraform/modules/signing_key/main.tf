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
        Condition = { StringEquals = { "kms:MessageType" = "DIGEST", "kms:SigningAlgorithm" = "ECDSA_SHA_256" } }
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
  signer_policy = [
    {
      Sid      = "SignWithTheKey"
      Effect   = "Allow"
      Action   = ["kms:GetPublicKey", "kms:Sign"]
      Resource = module.kms.arn
    },
  ]
}
