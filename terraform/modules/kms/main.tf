data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  # Without it a key could become unmanageable for ever. It lets nobody use the key: no Decrypt, and no CreateGrant, by
  # which an administrator could let himself. What it does allow, changing this policy, the audit trail shows.
  administration = {
    Sid       = "AccountAdministersTheKey"
    Effect    = "Allow"
    Principal = { AWS = "arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:root" }
    Action = [
      "kms:CancelKeyDeletion",
      "kms:CreateAlias",
      "kms:DeleteAlias",
      "kms:DescribeKey",
      "kms:DisableKey",
      "kms:DisableKeyRotation",
      "kms:EnableKey",
      "kms:EnableKeyRotation",
      "kms:GetKeyPolicy",
      "kms:GetKeyRotationStatus",
      "kms:ListGrants",
      "kms:ListKeyPolicies",
      "kms:ListKeyRotations",
      "kms:ListResourceTags",
      "kms:PutKeyPolicy",
      "kms:RevokeGrant",
      "kms:RotateKeyOnDemand",
      "kms:ScheduleKeyDeletion",
      "kms:TagResource",
      "kms:UntagResource",
      "kms:UpdateAlias",
      "kms:UpdateKeyDescription",
    ]
    # In a key policy this means the key itself.
    Resource = "*"
  }
}

resource "aws_kms_key" "this" {
  #checkov:skip=CKV_AWS_7:KMS rotates no key that signs; whom readers trust, and until when, is a policy of theirs
  description              = var.description
  key_usage                = var.signs ? "SIGN_VERIFY" : "ENCRYPT_DECRYPT"
  customer_master_key_spec = var.signs ? "ECC_NIST_P256" : "SYMMETRIC_DEFAULT"
  enable_key_rotation      = !var.signs
  deletion_window_in_days  = 30

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat([local.administration], flatten([for policy in var.policies : jsondecode(policy).Statement]))
  })
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.name}"
  target_key_id = aws_kms_key.this.key_id
}
