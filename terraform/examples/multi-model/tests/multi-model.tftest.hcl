mock_provider "aws" {
  source = "../../tests/aws"
}

variables {
  region              = "eu-central-1"
  publisher_role_arns = ["arn:aws:iam::111122223333:role/publisher"]
}

run "the_first_apply_makes_everything_but_the_endpoint" {
  assert {
    condition     = output.endpoint_name == null && output.repository_url != null
    error_message = "There is an endpoint without an image."
  }
}

run "the_second_makes_it" {
  variables {
    image_digest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
  }

  assert {
    condition     = output.endpoint_name == "models"
    error_message = "The endpoint is ${jsonencode(output.endpoint_name)}."
  }
}

run "no_policy_is_wider_than_it_has_to_be" {
  module {
    source = "../../tests/narrow"
  }

  variables {
    policies = run.the_second_makes_it.publisher_policies
  }

  assert {
    condition     = length(output.wide) == 0 && output.statements == 6
    error_message = "${output.statements} statements, and: ${join("\n", output.wide)}"
  }
}
