mock_provider "aws" {
  source = "../../tests/aws"
}

# Roles that policies tell apart.
override_resource {
  target = module.endpoint.aws_iam_role.execution
  values = { arn = "arn:aws:iam::111122223333:role/strongroom-execution" }
}

override_resource {
  target = aws_iam_role.publisher
  values = { arn = "arn:aws:iam::111122223333:role/strongroom-publisher" }
}

override_resource {
  target = module.github[0].aws_iam_role.this
  values = { arn = "arn:aws:iam::111122223333:role/strongroom-github" }
}

override_resource {
  target = module.network.aws_security_group.endpoints
  values = { id = "sg-0123456789abcde00" }
}

variables {
  region         = "eu-central-1"
  model          = "face-analyzer"
  publisher_arns = ["arn:aws:iam::111122223333:user/anna"]
}

# With nothing there yet, and so nothing known: no count and no key of a map may wait for it.
run "all_of_it_can_be_planned_from_nothing" {
  command = plan

  variables {
    image_digest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
    github       = { repository = "acme/faces" }
  }

  assert {
    condition     = length(module.observability.rollback_alarms) == 3
    error_message = "There is no plan."
  }
}

run "the_first_apply_makes_everything_but_the_endpoint" {
  assert {
    condition     = output.endpoint_name == null && length(module.observability.rollback_alarms) == 3
    error_message = "There is an endpoint without an image."
  }

  assert {
    condition = output.settings == {
      AWS_REGION          = "eu-central-1"
      STRONGROOM_REGISTRY = "s3://strongroom-registry-111122223333-eu-central-1/prod"
      STRONGROOM_KEY      = "secretsmanager:arn:aws:secretsmanager:eu-central-1:111122223333:secret:faces/kek-AbCdEf"
    }
    error_message = "Settings: ${jsonencode(output.settings)}"
  }

  assert {
    condition     = jsondecode(aws_iam_role.publisher.assume_role_policy).Statement[0].Principal.AWS == ["arn:aws:iam::111122223333:user/anna"]
    error_message = "Others take the publisher's role on."
  }

  assert {
    condition     = output.github_role_arn == null
    error_message = "GitHub has a role that nobody asked for."
  }
}

run "the_second_makes_the_endpoint" {
  variables {
    image_digest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
    github       = { repository = "acme/faces" }
  }

  assert {
    condition     = output.endpoint_name == "strongroom" && output.rollback_alarms == ["strongroom-errors-5xx", "strongroom-latency-mean", "strongroom-latency-p99"]
    error_message = "The endpoint is ${jsonencode(output.endpoint_name)}."
  }

  assert {
    condition = { for name, policy in aws_iam_role_policy.publisher : name => policy.policy } == {
      endpoint = module.endpoint.deploy_policy
      image    = module.image.push_policy
      keys     = module.keys.publisher_policy
      registry = module.registry.publisher_policy
    }
    error_message = "The publisher may do something else than put keys, push, publish and deploy."
  }

  assert {
    condition     = aws_vpc_security_group_egress_rule.callers.referenced_security_group_id == module.network.endpoints_security_group_id
    error_message = "Callers may talk to something else than endpoints."
  }
}

run "the_modules_fit_together" {
  variables {
    github = { repository = "acme/faces" }
  }

  # Role and secret, as the other module has it.
  assert {
    condition     = strcontains(module.keys.secret_policy, "arn:aws:iam::111122223333:role/strongroom-execution") && strcontains(module.keys.secret_policy, "arn:aws:iam::111122223333:role/strongroom-publisher")
    error_message = "The secret does not name the roles: ${module.keys.secret_policy}"
  }

  assert {
    condition     = strcontains(module.registry.bucket_policy, "role/strongroom-execution") && strcontains(module.registry.bucket_policy, "role/strongroom-publisher") && strcontains(module.registry.bucket_policy, "vpce-0123456789abcdef0")
    error_message = "The bucket does not name the roles and the network."
  }

  assert {
    condition     = strcontains(module.network.endpoint_policies["secretsmanager"], module.keys.secret_arn) && strcontains(module.network.endpoint_policies["s3"], module.registry.bucket_arn)
    error_message = "The network does not lead to the secret and the registry."
  }
}

run "github_pushes_images_and_has_no_part_in_key_and_models" {
  variables {
    github = { repository = "acme/faces" }
  }

  assert {
    condition     = module.github[0].policies == { image = module.image.push_policy }
    error_message = "GitHub may do something else than push: ${join(", ", keys(module.github[0].policies))}"
  }

  assert {
    condition     = output.github_role_arn == "arn:aws:iam::111122223333:role/strongroom-github" && !strcontains(jsonencode([module.keys.secret_policy, module.keys.kms_key_policy, module.registry.bucket_policy, module.registry.kms_key_policy]), "github")
    error_message = "The secret, the registry or a key of theirs lets GitHub in."
  }
}

run "no_key_enters_the_state" {
  command = plan

  assert {
    condition     = length([for file in fileset("${path.module}/../..", "{modules,examples}/*/*.tf") : file if can(regex("\"(aws_secretsmanager_(secret_version|random_password)|random_[a-z]+|tls_[a-z_]+)\"|secret_(string|binary) *=", file("${path.module}/../../${file}")))]) == 0
    error_message = "Terraform would know the key."
  }

  assert {
    condition     = length(fileset("${path.module}/../..", "{modules,examples}/*/*.tf")) >= 60
    error_message = "Not all files were looked at."
  }
}

run "a_tag_is_no_digest" {
  command = plan

  variables {
    image_digest = "latest"
  }

  expect_failures = [var.image_digest]
}

run "a_publisher_is_somebody" {
  command = plan

  variables {
    publisher_arns = ["arn:aws:iam::111122223333:user/*"]
  }

  expect_failures = [var.publisher_arns]
}

run "an_account_is_no_publisher" {
  command = plan

  variables {
    publisher_arns = ["arn:aws:iam::111122223333:root"]
  }

  expect_failures = [var.publisher_arns]
}

run "a_region_is_one" {
  command = plan

  variables {
    region = "Frankfurt"
  }

  expect_failures = [var.region]
}

run "zones_are_of_the_region" {
  command = plan

  variables {
    availability_zones = ["us-east-1a", "us-east-1b"]
  }

  expect_failures = [var.availability_zones]
}

run "one_instance_is_too_few" {
  command = plan

  variables {
    capacity = { min = 1 }
  }

  expect_failures = [var.capacity]
}

run "a_repository_has_no_wildcard" {
  command = plan

  variables {
    github = { repository = "acme/*" }
  }

  expect_failures = [var.github]
}

run "an_environment_is_a_name" {
  command = plan

  variables {
    environment = "../prod"
  }

  expect_failures = [var.environment]
}
