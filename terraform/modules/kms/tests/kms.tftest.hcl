mock_provider "aws" {
  source = "../../tests/aws"
}

variables {
  name        = "faces-test"
  description = "Tests"
  policies    = [jsonencode({ Statement = [{ Sid = "Read", Effect = "Allow", Principal = { AWS = "arn:aws:iam::111122223333:role/reader" }, Action = "kms:Decrypt", Resource = "*" }] })]

  callers = {
    reader = "arn:aws:iam::111122223333:role/reader"
    admin  = "arn:aws:iam::111122223333:role/admin"
  }
}

run "made" {
  assert {
    condition     = aws_kms_key.this.enable_key_rotation
    error_message = "The key does not rotate."
  }

  assert {
    condition     = aws_kms_key.this.deletion_window_in_days == 30
    error_message = "A deleted key is gone before somebody notices."
  }

  assert {
    condition     = output.alias == "alias/faces-test"
    error_message = "The alias is ${output.alias}."
  }
}

run "a_key_that_signs" {
  variables {
    signs = true
  }

  assert {
    condition     = aws_kms_key.this.key_usage == "SIGN_VERIFY" && aws_kms_key.this.customer_master_key_spec == "ECC_NIST_P256"
    error_message = "It is a key for ${aws_kms_key.this.key_usage}, ${aws_kms_key.this.customer_master_key_spec}."
  }

  assert {
    condition     = !aws_kms_key.this.enable_key_rotation
    error_message = "KMS refuses to rotate a key that signs."
  }
}

run "who_administers_a_key_cannot_use_it_and_is_not_locked_out" {
  module {
    source = "../../tests/iam"
  }

  variables {
    root     = "arn:aws:kms:eu-central-1:111122223333:key/1"
    resource = [run.made.policy]
    allowed = {
      reading_as_named = { caller = "reader", action = "kms:Decrypt", target = "" }
      mending          = { caller = "admin", action = "kms:PutKeyPolicy", target = "" }
      deleting         = { caller = "admin", action = "kms:ScheduleKeyDeletion", target = "" }
    }
    refused = {
      reading          = { caller = "admin", action = "kms:Decrypt", target = "" }
      writing          = { caller = "admin", action = "kms:Encrypt", target = "" }
      letting_self_in  = { caller = "admin", action = "kms:CreateGrant", target = "" }
      writing_as_named = { caller = "reader", action = "kms:GenerateDataKey", target = "" }
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
    policies = { key = run.made.policy }
    own      = ["key"]
  }

  assert {
    condition     = length(output.wide) == 0 && output.statements == 2
    error_message = "${output.statements} statements, and: ${join("\n", output.wide)}"
  }
}

run "an_alias_is_not_one_of_awss" {
  command = plan

  variables {
    name = "aws/secretsmanager"
  }

  expect_failures = [var.name]
}

run "a_key_says_what_it_is_for" {
  command = plan

  variables {
    description = ""
  }

  expect_failures = [var.description]
}

run "a_policy_is_json" {
  command = plan

  variables {
    policies = ["Allow reader"]
  }

  expect_failures = [var.policies]
}
