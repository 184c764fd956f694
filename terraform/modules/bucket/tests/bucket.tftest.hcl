mock_provider "aws" {
  source = "../../tests/aws"
}

variables {
  name            = "acme-models"
  kms_key_arn     = "arn:aws:kms:eu-central-1:111122223333:key/1"
  noncurrent_days = { "keyslots/" = 1 }
  expire_days     = 30

  callers = {
    writer = "arn:aws:iam::111122223333:role/writer"
  }
}

run "made" {
  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.this.block_public_acls,
      aws_s3_bucket_public_access_block.this.block_public_policy,
      aws_s3_bucket_public_access_block.this.ignore_public_acls,
      aws_s3_bucket_public_access_block.this.restrict_public_buckets,
    ])
    error_message = "The bucket can be made public."
  }

  assert {
    condition     = aws_s3_bucket_ownership_controls.this.rule[0].object_ownership == "BucketOwnerEnforced"
    error_message = "ACLs count."
  }

  assert {
    condition     = aws_s3_bucket_versioning.this.versioning_configuration[0].status == "Enabled"
    error_message = "There are no versions."
  }

  assert {
    condition = alltrue([for rule in aws_s3_bucket_server_side_encryption_configuration.this.rule :
      rule.bucket_key_enabled && rule.apply_server_side_encryption_by_default[0].sse_algorithm == "aws:kms" && rule.apply_server_side_encryption_by_default[0].kms_master_key_id == var.kms_key_arn
    ])
    error_message = "Objects are not encrypted with the KMS key."
  }

  assert {
    condition     = aws_s3_bucket.this.object_lock_enabled == false
    error_message = "The bucket has Object Lock."
  }

  assert {
    condition     = [for rule in aws_s3_bucket_lifecycle_configuration.this.rule : rule.id if rule.status == "Enabled"] == ["unfinished-uploads", "noncurrent-keyslots", "expire"]
    error_message = "Lifecycle: ${jsonencode([for rule in aws_s3_bucket_lifecycle_configuration.this.rule : rule.id])}"
  }

  assert {
    condition     = one([for rule in aws_s3_bucket_lifecycle_configuration.this.rule : rule.noncurrent_version_expiration[0].noncurrent_days if rule.id == "noncurrent-keyslots"]) == 1
    error_message = "Erased keyslots live on."
  }
}

run "the_policy_refuses_and_allows_nothing" {
  module {
    source = "../../tests/iam"
  }

  variables {
    root     = "arn:aws:s3:::acme-models"
    identity = { writer = [jsonencode({ Statement = [{ Sid = "All", Effect = "Allow", Action = "s3:*", Resource = "*" }] })] }
    resource = [run.made.policy]
    allowed = {
      by_the_buckets_encryption = { caller = "writer", action = "s3:PutObject", target = "/a" }
      by_the_same_encryption    = { caller = "writer", action = "s3:PutObject", target = "/a", context = { "s3:x-amz-server-side-encryption" = "aws:kms", "s3:x-amz-server-side-encryption-aws-kms-key-id" = "arn:aws:kms:eu-central-1:111122223333:key/1" } }
      reading                   = { caller = "writer", action = "s3:GetObject", target = "/a" }
    }
    refused = {
      by_other_encryption  = { caller = "writer", action = "s3:PutObject", target = "/a", context = { "s3:x-amz-server-side-encryption" = "AES256" } }
      by_another_key       = { caller = "writer", action = "s3:PutObject", target = "/a", context = { "s3:x-amz-server-side-encryption" = "aws:kms", "s3:x-amz-server-side-encryption-aws-kms-key-id" = "arn:aws:kms:eu-central-1:111122223333:key/2" } }
      reading_without_tls  = { caller = "writer", action = "s3:GetObject", target = "/a", context = { "aws:SecureTransport" = "false" } }
      listing_without_tls  = { caller = "writer", action = "s3:ListBucket", target = "", context = { "aws:SecureTransport" = "false" } }
      reading_with_tls_1_1 = { caller = "writer", action = "s3:GetObject", target = "/a", context = { "s3:TlsVersion" = "1.1" } }
    }
  }

  assert {
    condition     = length(output.wrong) == 0
    error_message = join("\n", output.wrong)
  }
}

run "retention_is_possible_where_asked_for" {
  variables {
    object_lock = true
  }

  assert {
    condition     = aws_s3_bucket.this.object_lock_enabled
    error_message = "The bucket has no Object Lock."
  }
}

run "a_name_has_no_dot" {
  command = plan

  variables {
    name = "acme.models"
  }

  expect_failures = [var.name]
}

run "a_key_is_no_alias" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-central-1:111122223333:alias/models"
  }

  expect_failures = [var.kms_key_arn]
}

run "a_policy_is_json" {
  command = plan

  variables {
    policies = ["Deny all"]
  }

  expect_failures = [var.policies]
}

run "noncurrent_versions_are_kept_a_day" {
  command = plan

  variables {
    noncurrent_days = { "keyslots/" = 0 }
  }

  expect_failures = [var.noncurrent_days]
}

run "objects_are_kept_whole_days" {
  command = plan

  variables {
    expire_days = 1.5
  }

  expect_failures = [var.expire_days]
}
