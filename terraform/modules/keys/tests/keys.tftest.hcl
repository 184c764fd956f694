mock_provider "aws" {
  source = "../../tests/aws"
}

variables {
  name                    = "faces/kek"
  reader_role_arns        = ["arn:aws:iam::111122223333:role/faces-execution"]
  publisher_role_arns     = ["arn:aws:iam::111122223333:role/faces-publisher"]
  reader_vpc_endpoint_ids = ["vpce-0123456789abcdef0"]

  # For tests/iam.
  callers = {
    reader    = "arn:aws:iam::111122223333:role/faces-execution"
    publisher = "arn:aws:iam::111122223333:role/faces-publisher"
    staging   = "arn:aws:iam::111122223333:role/staging-execution"
    admin     = "arn:aws:iam::111122223333:role/admin"
    stranger  = "arn:aws:iam::999999999999:role/faces-execution"
  }
}

run "made" {
  assert {
    condition     = aws_secretsmanager_secret.this.kms_key_id == module.kms.arn
    error_message = "The secret is not encrypted with its KMS key."
  }

  assert {
    condition     = aws_secretsmanager_secret_policy.this.block_public_policy
    error_message = "The secret can be made public."
  }

  assert {
    condition     = aws_secretsmanager_secret.this.recovery_window_in_days == 30
    error_message = "A deleted secret is gone before somebody notices."
  }

  assert {
    condition     = output.setting == "secretsmanager:arn:aws:secretsmanager:eu-central-1:111122223333:secret:faces/kek-AbCdEf"
    error_message = "STRONGROOM_KEY is ${output.setting}."
  }

  assert {
    condition     = strcontains(output.put_key_command, "--secret-binary fileb:///dev/stdin") && !strcontains(output.put_key_command, "--secret-string")
    error_message = "The key would be an argument: ${output.put_key_command}"
  }
}

# What would bring a key into the state: a version of a secret, or a resource or function that makes random bytes.
run "no_key_enters_the_state" {
  command = plan

  assert {
    condition = alltrue([for file in fileset(path.module, "*.tf") : !can(regex(
      "(?m)^ *(resource|data|ephemeral) +\"(aws_secretsmanager_(secret_version|random_password)|random_[a-z]+|tls_[a-z_]+)\"|secret_(string|binary) *=",
      file("${path.module}/${file}"),
    ))])
    error_message = "Terraform would know the key."
  }

  assert {
    condition     = length(fileset(path.module, "*.tf")) == 4
    error_message = "Not all files were looked at."
  }
}

run "the_secret_is_read_and_put_by_the_roles_it_names" {
  module {
    source = "../../tests/iam"
  }

  variables {
    root = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:faces/kek-AbCdEf"
    identity = {
      reader    = [run.made.reader_policy]
      publisher = [run.made.publisher_policy]
      staging   = [replace(run.made.reader_policy, "faces/kek", "*")]
      admin     = [jsonencode({ Statement = [{ Sid = "All", Effect = "Allow", Action = "*", Resource = "*" }] })]
    }
    resource = [run.made.secret_policy]
    allowed = {
      serve_reads_the_key     = { caller = "reader", action = "secretsmanager:GetSecretValue", target = "", context = { "aws:SourceVpce" = "vpce-0123456789abcdef0" } }
      publish_reads_the_key   = { caller = "publisher", action = "secretsmanager:GetSecretValue", target = "" }
      a_new_key_is_put        = { caller = "publisher", action = "secretsmanager:PutSecretValue", target = "" }
      and_made_the_current    = { caller = "publisher", action = "secretsmanager:UpdateSecretVersionStage", target = "" }
      a_rotation_looks_at_all = { caller = "publisher", action = "secretsmanager:ListSecretVersionIds", target = "" }
      an_admin_mends_policies = { caller = "admin", action = "secretsmanager:PutResourcePolicy", target = "" }
      an_admin_deletes        = { caller = "admin", action = "secretsmanager:DeleteSecret", target = "" }
    }
    refused = {
      another_environment  = { caller = "staging", action = "secretsmanager:GetSecretValue", target = "", context = { "aws:SourceVpce" = "vpce-0123456789abcdef0" } }
      another_secret       = { caller = "reader", action = "secretsmanager:GetSecretValue", target = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:staging/kek-AbCdEf", context = { "aws:SourceVpce" = "vpce-0123456789abcdef0" } }
      another_account      = { caller = "stranger", action = "secretsmanager:GetSecretValue", target = "", context = { "aws:SourceVpce" = "vpce-0123456789abcdef0" } }
      an_admin_reads       = { caller = "admin", action = "secretsmanager:GetSecretValue", target = "" }
      an_admin_puts        = { caller = "admin", action = "secretsmanager:PutSecretValue", target = "" }
      an_admin_rotates     = { caller = "admin", action = "secretsmanager:RotateSecret", target = "" }
      a_reader_puts        = { caller = "reader", action = "secretsmanager:PutSecretValue", target = "", context = { "aws:SourceVpce" = "vpce-0123456789abcdef0" } }
      a_reader_elsewhere   = { caller = "reader", action = "secretsmanager:GetSecretValue", target = "" }
      a_publisher_opens_up = { caller = "publisher", action = "secretsmanager:PutResourcePolicy", target = "" }
      reading_without_tls  = { caller = "publisher", action = "secretsmanager:GetSecretValue", target = "", context = { "aws:SecureTransport" = "false" } }
    }
  }

  assert {
    condition     = length(output.wrong) == 0
    error_message = join("\n", output.wrong)
  }
}

run "its_kms_key_serves_those_roles_through_secrets_manager_only" {
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
    context = {
      "kms:ViaService"                        = "secretsmanager.eu-central-1.amazonaws.com"
      "kms:EncryptionContext:SecretARN"       = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:faces/kek-AbCdEf"
      "kms:EncryptionContext:SecretVersionId" = "0f8b8b2c-9d7d-4c3f-8b1e-2f3a4b5c6d7e"
    }
    allowed = {
      reading            = { caller = "reader", action = "kms:Decrypt", target = "" }
      putting            = { caller = "publisher", action = "kms:GenerateDataKey", target = "" }
      making_the_secret  = { caller = "admin", action = "kms:GenerateDataKey", target = "", context = { "kms:EncryptionContext:SecretVersionId" = "RequestToValidateKeyAccess" } }
      trying_the_key     = { caller = "admin", action = "kms:Decrypt", target = "", context = { "kms:EncryptionContext:SecretVersionId" = "RequestToValidateKeyAccess" } }
      mending_its_policy = { caller = "admin", action = "kms:PutKeyPolicy", target = "" }
    }
    refused = {
      reading_of_admins         = { caller = "admin", action = "kms:Decrypt", target = "" }
      putting_of_admins         = { caller = "admin", action = "kms:GenerateDataKey", target = "" }
      granting                  = { caller = "admin", action = "kms:CreateGrant", target = "" }
      putting_of_readers        = { caller = "reader", action = "kms:GenerateDataKey", target = "" }
      reading_past_the_service  = { caller = "reader", action = "kms:Decrypt", target = "", context = { "kms:ViaService" = "s3.eu-central-1.amazonaws.com" } }
      reading_of_another_secret = { caller = "reader", action = "kms:Decrypt", target = "", context = { "kms:EncryptionContext:SecretARN" = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:staging/kek-AbCdEf" } }
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
      secret    = run.made.secret_policy
      key       = run.made.kms_key_policy
    }
    own = ["key"]
  }

  assert {
    condition     = length(output.wide) == 0 && output.statements == 9
    error_message = "${output.statements} statements, and: ${join("\n", output.wide)}"
  }
}

run "a_name_does_not_look_like_the_end_of_an_arn" {
  command = plan

  variables {
    name = "faces-AbCdEf"
  }

  expect_failures = [var.name]
}

run "a_reader_is_a_role" {
  command = plan

  variables {
    reader_role_arns = ["arn:aws:iam::111122223333:root"]
  }

  expect_failures = [var.reader_role_arns]
}

run "a_reader_has_no_wildcard" {
  command = plan

  variables {
    reader_role_arns = ["arn:aws:iam::111122223333:role/faces-*"]
  }

  expect_failures = [var.reader_role_arns]
}

run "a_publisher_has_no_wildcard" {
  command = plan

  variables {
    publisher_role_arns = ["arn:aws:iam::111122223333:role/faces-*"]
  }

  expect_failures = [var.publisher_role_arns]
}

run "a_reader_puts_no_keys" {
  command = plan

  variables {
    publisher_role_arns = ["arn:aws:iam::111122223333:role/faces-execution"]
  }

  expect_failures = [var.publisher_role_arns]
}

run "a_vpc_endpoint_is_named_by_its_id" {
  command = plan

  variables {
    reader_vpc_endpoint_ids = ["secretsmanager"]
  }

  expect_failures = [var.reader_vpc_endpoint_ids]
}
