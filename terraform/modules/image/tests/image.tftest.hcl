mock_provider "aws" {
  source = "../../tests/aws"
}

variables {
  name        = "strongroom"
  kms_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/1"

  callers = {
    runner = "arn:aws:iam::111122223333:role/faces-execution"
    pusher = "arn:aws:iam::111122223333:role/faces-publisher"
  }
}

run "made" {
  assert {
    condition     = aws_ecr_repository.this.image_tag_mutability == "IMMUTABLE"
    error_message = "A tag can come to mean another image."
  }

  assert {
    condition     = aws_ecr_repository.this.image_scanning_configuration[0].scan_on_push
    error_message = "Images are not scanned."
  }

  assert {
    condition     = aws_ecr_repository.this.encryption_configuration[0].encryption_type == "KMS" && aws_ecr_repository.this.encryption_configuration[0].kms_key == var.kms_key_arn
    error_message = "Images are not encrypted with the KMS key."
  }

  assert {
    condition     = [for rule in jsondecode(aws_ecr_lifecycle_policy.this.policy).rules : [rule.selection.tagStatus, rule.selection.countNumber]] == [["untagged", 7], ["any", 50]]
    error_message = "Lifecycle: ${aws_ecr_lifecycle_policy.this.policy}"
  }
}

run "who_runs_images_cannot_push_them" {
  module {
    source = "../../tests/iam"
  }

  variables {
    root     = "arn:aws:ecr:eu-central-1:111122223333:repository/strongroom"
    identity = { runner = [run.made.pull_policy], pusher = [run.made.push_policy] }
    allowed = {
      pulling         = { caller = "runner", action = "ecr:BatchGetImage", target = "" }
      logging_in      = { caller = "runner", action = "ecr:GetAuthorizationToken", target = "arn:aws:ecr:eu-central-1:111122223333:*" }
      pushing         = { caller = "pusher", action = "ecr:PutImage", target = "" }
      seeing_the_scan = { caller = "pusher", action = "ecr:DescribeImageScanFindings", target = "" }
    }
    refused = {
      pushing_of_runners  = { caller = "runner", action = "ecr:PutImage", target = "" }
      pulling_another     = { caller = "runner", action = "ecr:BatchGetImage", target = "arn:aws:ecr:eu-central-1:111122223333:repository/other" }
      pushing_another     = { caller = "pusher", action = "ecr:PutImage", target = "arn:aws:ecr:eu-central-1:111122223333:repository/other" }
      removing_images     = { caller = "pusher", action = "ecr:BatchDeleteImage", target = "" }
      making_tags_mutable = { caller = "pusher", action = "ecr:PutImageTagMutability", target = "" }
    }
  }

  assert {
    condition     = length(output.wrong) == 0
    error_message = join("\n", output.wrong)
  }
}

run "the_pusher_may_do_what_scripts_push_asks_for" {
  module {
    source = "../../tests/iam"
  }

  variables {
    root     = "arn:aws:ecr:eu-central-1:111122223333:repository/strongroom"
    identity = { pusher = [run.made.push_policy] }
    allowed = merge(
      { logging_in = { caller = "pusher", action = "ecr:GetAuthorizationToken", target = "arn:aws:ecr:eu-central-1:111122223333:*" } },
      { for action in [
        "BatchCheckLayerAvailability",
        "BatchGetImage",
        "CompleteLayerUpload",
        "DescribeImageScanFindings",
        "DescribeRepositories",
        "InitiateLayerUpload",
        "PutImage",
        "UploadLayerPart",
      ] : action => { caller = "pusher", action = "ecr:${action}", target = "" } },
      # Signatures are read back.
      { reading_a_signature = { caller = "pusher", action = "ecr:GetDownloadUrlForLayer", target = "" } },
    )
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
    policies = { pull = run.made.pull_policy, push = run.made.push_policy }
  }

  assert {
    condition     = length(output.wide) == 0 && output.statements == 4
    error_message = "${output.statements} statements, and: ${join("\n", output.wide)}"
  }
}

run "a_name_has_no_capital" {
  command = plan

  variables {
    name = "Strongroom"
  }

  expect_failures = [var.name]
}

run "a_key_is_no_alias" {
  command = plan

  variables {
    kms_key_arn = "alias/images"
  }

  expect_failures = [var.kms_key_arn]
}

run "images_to_roll_back_to_are_kept" {
  command = plan

  variables {
    keep_images = 1
  }

  expect_failures = [var.keep_images]
}
