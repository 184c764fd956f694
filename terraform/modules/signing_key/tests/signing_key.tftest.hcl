mock_provider "aws" {
  source = "../../tests/aws"
}

variables {
  name             = "faces/publisher"
  signer_role_arns = ["arn:aws:iam::111122223333:role/faces-publisher"]

  # For tests/iam.
  callers = {
    publisher = "arn:aws:iam::111122223333:role/faces-publisher"
    reader    = "arn:aws:iam::111122223333:role/faces-execution"
    admin     = "arn:aws:iam::111122223333:role/admin"
  }
}

run "made" {
  assert {
    condition     = startswith(output.setting, "kms:arn:aws:kms:")
    error_message = "STRONGROOM_SIGNING_KEY is ${output.setting}."
  }
}

run "who_is_named_signs_digests_and_nobody_else_does" {
  module {
    source = "../../tests/iam"
  }

  variables {
    root = "arn:aws:kms:eu-central-1:111122223333:key/11111111-2222-3333-4444-555555555555"
    identity = {
      publisher = [run.made.signer_policy]
    }
    resource = [run.made.kms_key_policy]
    context  = { "kms:MessageType" = "DIGEST", "kms:SigningAlgorithm" = "ECDSA_SHA_256" }
    allowed = {
      publishing_signs   = { caller = "publisher", action = "kms:Sign", target = "" }
      its_public_half    = { caller = "publisher", action = "kms:GetPublicKey", target = "" }
      mending_its_policy = { caller = "admin", action = "kms:PutKeyPolicy", target = "" }
    }
    refused = {
      whole_messages  = { caller = "publisher", action = "kms:Sign", target = "", context = { "kms:MessageType" = "RAW" } }
      a_reader_signs  = { caller = "reader", action = "kms:Sign", target = "" }
      an_admin_signs  = { caller = "admin", action = "kms:Sign", target = "" }
      letting_self_in = { caller = "admin", action = "kms:CreateGrant", target = "" }
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
    policies = { key = run.made.kms_key_policy, signer = run.made.signer_policy }
    own      = ["key"]
  }

  assert {
    condition     = length(output.wide) == 0
    error_message = join("\n", output.wide)
  }
}
