mock_provider "aws" {
  source = "../../tests/aws"
}

variables {
  bucket_name             = "acme-models"
  prefix                  = "prod"
  reader_role_arns        = ["arn:aws:iam::111122223333:role/faces-execution"]
  publisher_role_arns     = ["arn:aws:iam::111122223333:role/faces-publisher", "arn:aws:iam::111122223333:role/faces-keeper"]
  reader_vpc_endpoint_ids = ["vpce-0123456789abcdef0"]

  # For tests/iam.
  callers = {
    reader    = "arn:aws:iam::111122223333:role/faces-execution"
    publisher = "arn:aws:iam::111122223333:role/faces-publisher"
    keeper    = "arn:aws:iam::111122223333:role/faces-keeper"
    staging   = "arn:aws:iam::111122223333:role/staging-execution"
    admin     = "arn:aws:iam::111122223333:role/admin"
    stranger  = "arn:aws:iam::999999999999:role/faces-execution"
  }
}

run "made" {
  assert {
    condition     = output.uri == "s3://acme-models/prod"
    error_message = "STRONGROOM_REGISTRY is ${output.uri}"
  }
}

# Every call that the program makes (src/store/s3.rs), with the headers that it sends.
run "what_the_program_does_is_allowed" {
  module {
    source = "../../tests/iam"
  }

  variables {
    root = "arn:aws:s3:::acme-models"
    identity = {
      reader    = [run.made.reader_policy]
      publisher = [run.made.publisher_policy]
      keeper    = [run.made.publisher_policy, run.made.upkeep_policy]
    }
    resource = [run.made.bucket_policy]
    allowed = {
      serve_reads_the_alias      = { caller = "reader", action = "s3:GetObject", target = "/prod/aliases/faces/live.json", context = { "aws:SourceVpce" = "vpce-0123456789abcdef0" } }
      serve_reads_a_log_entry    = { caller = "reader", action = "s3:GetObject", target = "/prod/log/00000000000000000000.json", context = { "aws:SourceVpce" = "vpce-0123456789abcdef0" } }
      serve_reads_a_keyslot      = { caller = "reader", action = "s3:GetObject", target = "/prod/keyslots/ab/cd", context = { "aws:SourceVpce" = "vpce-0123456789abcdef0" } }
      serve_reads_a_blob         = { caller = "reader", action = "s3:GetObject", target = "/prod/blobs/sha256/ab", context = { "aws:SourceVpce" = "vpce-0123456789abcdef0" } }
      serve_of_a_version_lists   = { caller = "reader", action = "s3:ListBucket", target = "", context = { "s3:prefix" = "prod/log/", "aws:SourceVpce" = "vpce-0123456789abcdef0" } }
      serve_is_told_of_a_404     = { caller = "reader", action = "s3:ListBucket", target = "", context = { "aws:SourceVpce" = "vpce-0123456789abcdef0" } }
      publish_lists_the_log      = { caller = "publisher", action = "s3:ListBucket", target = "", context = { "s3:prefix" = "prod/log/" } }
      export_lists_keyslots      = { caller = "publisher", action = "s3:ListBucket", target = "", context = { "s3:prefix" = "prod/keyslots/ab/" } }
      publish_reads              = { caller = "publisher", action = "s3:GetObject", target = "/prod/log/00000000000000000000.json" }
      publish_creates_a_keyslot  = { caller = "publisher", action = "s3:PutObject", target = "/prod/keyslots/ab/cd", context = { "s3:if-none-match" = "*", "s3:ObjectCreationOperation" = "true" } }
      publish_creates_a_blob     = { caller = "publisher", action = "s3:PutObject", target = "/prod/blobs/sha256/ab", context = { "s3:if-none-match" = "*", "s3:ObjectCreationOperation" = "true" } }
      publish_uploads_a_part     = { caller = "publisher", action = "s3:PutObject", target = "/prod/blobs/sha256/ab", context = { "s3:ObjectCreationOperation" = "false" } }
      publish_aborts_an_upload   = { caller = "publisher", action = "s3:AbortMultipartUpload", target = "/prod/blobs/sha256/ab" }
      publish_creates_a_log_line = { caller = "publisher", action = "s3:PutObject", target = "/prod/log/00000000000000000001.json", context = { "s3:if-none-match" = "*", "s3:ObjectCreationOperation" = "true" } }
      promote_creates_an_alias   = { caller = "publisher", action = "s3:PutObject", target = "/prod/aliases/faces/live.json", context = { "s3:if-none-match" = "*", "s3:ObjectCreationOperation" = "true" } }
      promote_moves_an_alias     = { caller = "publisher", action = "s3:PutObject", target = "/prod/aliases/faces/live.json", context = { "s3:if-match" = "\"etag\"", "s3:ObjectCreationOperation" = "true" } }
      rotate_retire_erases       = { caller = "keeper", action = "s3:DeleteObjectVersion", target = "/prod/keyslots/ab/cd" }
      erase_deletes_a_keyslot    = { caller = "keeper", action = "s3:DeleteObject", target = "/prod/keyslots/ab/cd" }
      erase_lists_versions       = { caller = "keeper", action = "s3:ListBucketVersions", target = "", context = { "s3:prefix" = "prod/keyslots/ab/" } }
      fsck_lists_everything      = { caller = "keeper", action = "s3:ListBucket", target = "", context = { "s3:prefix" = "prod/" } }
      retention_of_a_blob        = { caller = "publisher", action = "s3:PutObjectRetention", target = "/prod/blobs/sha256/ab", context = { "s3:object-lock-remaining-retention-days" = "365" } }
    }
  }

  assert {
    condition     = length(output.wrong) == 0
    error_message = join("\n", output.wrong)
  }
}

run "everything_else_is_refused" {
  module {
    source = "../../tests/iam"
  }

  variables {
    root = "arn:aws:s3:::acme-models"
    identity = {
      reader    = [run.made.reader_policy]
      publisher = [run.made.publisher_policy]
      keeper    = [run.made.publisher_policy, run.made.upkeep_policy]
      staging   = [run.made.reader_policy]
      admin     = [jsonencode({ Statement = [{ Sid = "All", Effect = "Allow", Action = "*", Resource = "*" }] })]
    }
    resource = [run.made.bucket_policy]
    allowed = {
      an_administrator_erases_keyslots = { caller = "admin", action = "s3:DeleteObjectVersion", target = "/prod/keyslots/ab/cd" }
      an_administrator_mends_policies  = { caller = "admin", action = "s3:PutBucketPolicy", target = "" }
    }
    refused = {
      overwriting_a_blob             = { caller = "publisher", action = "s3:PutObject", target = "/prod/blobs/sha256/ab", context = { "s3:ObjectCreationOperation" = "true" } }
      overwriting_a_keyslot          = { caller = "publisher", action = "s3:PutObject", target = "/prod/keyslots/ab/cd", context = { "s3:ObjectCreationOperation" = "true" } }
      replacing_a_log_entry          = { caller = "publisher", action = "s3:PutObject", target = "/prod/log/00000000000000000001.json", context = { "s3:if-match" = "\"etag\"", "s3:ObjectCreationOperation" = "true" } }
      moving_an_alias_blindly        = { caller = "publisher", action = "s3:PutObject", target = "/prod/aliases/faces/live.json", context = { "s3:ObjectCreationOperation" = "true" } }
      writing_another_kind_of_object = { caller = "admin", action = "s3:PutObject", target = "/prod/notes.txt", context = { "s3:if-none-match" = "*", "s3:ObjectCreationOperation" = "true" } }
      publishing_into_another_prefix = { caller = "publisher", action = "s3:PutObject", target = "/staging/log/00000000000000000001.json", context = { "s3:if-none-match" = "*", "s3:ObjectCreationOperation" = "true" } }
      reading_another_prefix         = { caller = "reader", action = "s3:GetObject", target = "/staging/log/00000000000000000000.json", context = { "aws:SourceVpce" = "vpce-0123456789abcdef0" } }
      reading_another_bucket         = { caller = "reader", action = "s3:GetObject", target = "arn:aws:s3:::acme-models-staging/prod/log/00000000000000000000.json", context = { "aws:SourceVpce" = "vpce-0123456789abcdef0" } }
      listing_another_prefix         = { caller = "reader", action = "s3:ListBucket", target = "", context = { "s3:prefix" = "staging/", "aws:SourceVpce" = "vpce-0123456789abcdef0" } }
      a_reader_elsewhere             = { caller = "reader", action = "s3:GetObject", target = "/prod/blobs/sha256/ab" }
      a_reader_in_another_network    = { caller = "reader", action = "s3:GetObject", target = "/prod/blobs/sha256/ab", context = { "aws:SourceVpce" = "vpce-99999999999999999" } }
      a_role_of_another_environment  = { caller = "staging", action = "s3:GetObject", target = "/prod/blobs/sha256/ab", context = { "aws:SourceVpce" = "vpce-0123456789abcdef0" } }
      an_administrator_reads         = { caller = "admin", action = "s3:GetObject", target = "/prod/blobs/sha256/ab" }
      an_administrator_writes        = { caller = "admin", action = "s3:PutObject", target = "/prod/blobs/sha256/ab", context = { "s3:if-none-match" = "*", "s3:ObjectCreationOperation" = "true" } }
      somebody_outside               = { caller = "stranger", action = "s3:GetObject", target = "/prod/blobs/sha256/ab", context = { "aws:SourceVpce" = "vpce-0123456789abcdef0" } }
      a_reader_writes                = { caller = "reader", action = "s3:PutObject", target = "/prod/blobs/sha256/ab", context = { "s3:if-none-match" = "*", "s3:ObjectCreationOperation" = "true", "aws:SourceVpce" = "vpce-0123456789abcdef0" } }
      without_tls                    = { caller = "publisher", action = "s3:GetObject", target = "/prod/blobs/sha256/ab", context = { "aws:SecureTransport" = "false" } }
      with_old_tls                   = { caller = "publisher", action = "s3:GetObject", target = "/prod/blobs/sha256/ab", context = { "s3:TlsVersion" = "1.1" } }
      with_s3s_own_encryption        = { caller = "publisher", action = "s3:PutObject", target = "/prod/blobs/sha256/ab", context = { "s3:if-none-match" = "*", "s3:x-amz-server-side-encryption" = "AES256" } }
      with_another_kms_key           = { caller = "publisher", action = "s3:PutObject", target = "/prod/blobs/sha256/ab", context = { "s3:if-none-match" = "*", "s3:x-amz-server-side-encryption" = "aws:kms", "s3:x-amz-server-side-encryption-aws-kms-key-id" = "arn:aws:kms:eu-central-1:111122223333:key/other" } }
      a_keeper_removes_a_log_entry   = { caller = "keeper", action = "s3:DeleteObjectVersion", target = "/prod/log/00000000000000000000.json" }
      a_keeper_lists_another_prefix  = { caller = "keeper", action = "s3:ListBucketVersions", target = "", context = { "s3:prefix" = "staging/" } }
      removing_a_log_entry           = { caller = "admin", action = "s3:DeleteObject", target = "/prod/log/00000000000000000000.json" }
      removing_a_version_of_a_blob   = { caller = "admin", action = "s3:DeleteObjectVersion", target = "/prod/blobs/sha256/ab" }
      a_publisher_erases_a_keyslot   = { caller = "publisher", action = "s3:DeleteObject", target = "/prod/keyslots/ab/cd" }
      retention_of_a_keyslot         = { caller = "admin", action = "s3:PutObjectRetention", target = "/prod/keyslots/ab/cd" }
      retention_for_ever             = { caller = "publisher", action = "s3:PutObjectRetention", target = "/prod/blobs/sha256/ab", context = { "s3:object-lock-remaining-retention-days" = "3651" } }
    }
  }

  assert {
    condition     = length(output.wrong) == 0
    error_message = join("\n", output.wrong)
  }
}

# What holds although a role of ours is given more than it should have.
run "the_bucket_refuses_whatever_a_role_may_do" {
  module {
    source = "../../tests/iam"
  }

  variables {
    root = "arn:aws:s3:::acme-models"
    identity = {
      reader    = [jsonencode({ Statement = [{ Sid = "All", Effect = "Allow", Action = "*", Resource = "*" }] })]
      publisher = [jsonencode({ Statement = [{ Sid = "All", Effect = "Allow", Action = "*", Resource = "*" }] })]
    }
    resource = [run.made.bucket_policy]
    context  = { "aws:SourceVpce" = "vpce-0123456789abcdef0", "s3:ObjectCreationOperation" = "true" }
    refused = {
      overwriting_a_blob       = { caller = "publisher", action = "s3:PutObject", target = "/prod/blobs/sha256/ab" }
      moving_an_alias_blindly  = { caller = "publisher", action = "s3:PutObject", target = "/prod/aliases/faces/live.json" }
      another_kind_of_object   = { caller = "publisher", action = "s3:PutObject", target = "/prod/notes.txt", context = { "s3:if-none-match" = "*" } }
      another_prefix           = { caller = "publisher", action = "s3:PutObject", target = "/staging/log/00000000000000000001.json", context = { "s3:if-none-match" = "*" } }
      removing_a_log_entry     = { caller = "publisher", action = "s3:DeleteObject", target = "/prod/log/00000000000000000000.json" }
      shortening_a_retention   = { caller = "publisher", action = "s3:BypassGovernanceRetention", target = "/prod/blobs/sha256/ab" }
      retention_of_a_keyslot   = { caller = "publisher", action = "s3:PutObjectRetention", target = "/prod/keyslots/ab/cd" }
      legal_hold_of_a_keyslot  = { caller = "publisher", action = "s3:PutObjectLegalHold", target = "/prod/keyslots/ab/cd" }
      a_reader_writes          = { caller = "reader", action = "s3:PutObject", target = "/prod/blobs/sha256/ab", context = { "s3:if-none-match" = "*" } }
      a_reader_erases_keyslots = { caller = "reader", action = "s3:DeleteObjectVersion", target = "/prod/keyslots/ab/cd" }
      a_reader_elsewhere       = { caller = "reader", action = "s3:ListBucket", target = "", context = { "aws:SourceVpce" = "vpce-99999999999999999" } }
    }
  }

  assert {
    condition     = length(output.wrong) == 0
    error_message = join("\n", output.wrong)
  }
}

run "the_kms_key_serves_the_two_roles_through_s3_only" {
  module {
    source = "../../tests/iam"
  }

  variables {
    root = "arn:aws:kms:eu-central-1:111122223333:key/11111111-2222-3333-4444-555555555555"
    identity = {
      reader    = [run.made.reader_policy]
      publisher = [run.made.publisher_policy]
    }
    resource = [run.made.kms_key_policy]
    context  = { "kms:ViaService" = "s3.eu-central-1.amazonaws.com", "kms:EncryptionContext:aws:s3:arn" = "arn:aws:s3:::acme-models" }
    allowed = {
      reading                        = { caller = "reader", action = "kms:Decrypt", target = "" }
      writing                        = { caller = "publisher", action = "kms:GenerateDataKey", target = "" }
      administrators_mend_its_policy = { caller = "admin", action = "kms:PutKeyPolicy", target = "" }
    }
    refused = {
      writing_of_readers        = { caller = "reader", action = "kms:GenerateDataKey", target = "" }
      reading_of_administrators = { caller = "admin", action = "kms:Decrypt", target = "" }
      letting_oneself_in        = { caller = "admin", action = "kms:CreateGrant", target = "" }
      reading_past_s3           = { caller = "reader", action = "kms:Decrypt", target = "", context = { "kms:ViaService" = "secretsmanager.eu-central-1.amazonaws.com" } }
      reading_another_bucket    = { caller = "reader", action = "kms:Decrypt", target = "", context = { "kms:EncryptionContext:aws:s3:arn" = "arn:aws:s3:::acme-models-staging" } }
    }
  }

  assert {
    condition     = length(output.wrong) == 0
    error_message = join("\n", output.wrong)
  }
}

run "no_policy_is_wider_than_it_has_to_be" {
  module {
    source = "../../tests/narrow"
  }

  variables {
    policies = {
      reader    = run.made.reader_policy
      publisher = run.made.publisher_policy
      bucket    = run.made.bucket_policy
      key       = run.made.kms_key_policy
    }
    own = ["key"]
  }

  assert {
    condition     = length(output.wide) == 0 && output.statements == 12
    error_message = "${output.statements} statements, and: ${join("\n", output.wide)}"
  }
}

run "without_a_network_readers_may_read_from_anywhere" {
  variables {
    reader_vpc_endpoint_ids = []
  }

  assert {
    condition     = !strcontains(output.bucket_policy, "aws:SourceVpce")
    error_message = "The bucket asks for a VPC endpoint."
  }
}

run "a_prefix_has_no_dot_segment" {
  command = plan

  variables {
    prefix = "prod/../other"
  }

  expect_failures = [var.prefix]
}

run "a_reader_is_a_role_without_wildcard" {
  command = plan

  variables {
    reader_role_arns = ["arn:aws:iam::111122223333:role/*"]
  }

  expect_failures = [var.reader_role_arns]
}

run "a_publisher_is_no_reader" {
  command = plan

  variables {
    publisher_role_arns = ["arn:aws:iam::111122223333:role/faces-execution"]
  }

  expect_failures = [var.publisher_role_arns]
}

run "there_is_a_publisher" {
  command = plan

  variables {
    publisher_role_arns = []
  }

  expect_failures = [var.publisher_role_arns]
}

run "a_bucket_name_has_no_dot" {
  command = plan

  variables {
    bucket_name = "acme.models"
  }

  expect_failures = [var.bucket_name]
}

run "a_vpc_endpoint_is_named_by_its_id" {
  command = plan

  variables {
    reader_vpc_endpoint_ids = ["com.amazonaws.eu-central-1.s3"]
  }

  expect_failures = [var.reader_vpc_endpoint_ids]
}

run "retention_has_a_bound" {
  command = plan

  variables {
    max_retention_days = 0
  }

  expect_failures = [var.max_retention_days]
}
