mock_provider "aws" {
  source = "../../tests/aws"
}

# A group of its own, so that a rule that names the wrong one is seen.
override_resource {
  target = aws_security_group.endpoints
  values = { id = "sg-0123456789abcde00" }
}

variables {
  name               = "faces"
  availability_zones = ["eu-central-1a", "eu-central-1b"]
  bucket_arns        = ["arn:aws:s3:::acme-models"]
  secret_arns        = ["arn:aws:secretsmanager:eu-central-1:111122223333:secret:faces/kek-AbCdEf"]
  endpoint_names     = ["faces"]
  kms_key_arn        = "arn:aws:kms:eu-central-1:111122223333:key/1"

  caller_security_group_ids = { shop = "sg-0123456789abcdef0" }

  callers = {
    own      = "arn:aws:iam::111122223333:role/faces-execution"
    stranger = "arn:aws:iam::999999999999:role/thief"
  }
}

run "made" {
  assert {
    condition     = alltrue([for subnet in aws_subnet.private : subnet.map_public_ip_on_launch == false]) && length(aws_subnet.private) == 2
    error_message = "A subnet gives public addresses."
  }

  assert {
    condition     = [for subnet in aws_subnet.private : subnet.cidr_block] == ["10.42.0.0/24", "10.42.1.0/24"]
    error_message = "Subnets: ${jsonencode([for subnet in aws_subnet.private : subnet.cidr_block])}"
  }

  assert {
    condition     = toset(keys(aws_vpc_endpoint.interface)) == toset(["ecr.api", "ecr.dkr", "kms", "logs", "sagemaker.api", "sagemaker.runtime", "secretsmanager", "sts"]) && alltrue([for endpoint in aws_vpc_endpoint.interface : endpoint.private_dns_enabled && endpoint.vpc_endpoint_type == "Interface"])
    error_message = "A service has no interface endpoint with private names."
  }

  assert {
    condition     = aws_vpc_endpoint.s3.vpc_endpoint_type == "Gateway" && aws_vpc_endpoint.s3.service_name == "com.amazonaws.eu-central-1.s3"
    error_message = "S3 has no gateway endpoint."
  }

  # The rules of the model's group: to a group and to a prefix list, never to an address range.
  assert {
    condition     = aws_vpc_security_group_egress_rule.model_to_endpoints.referenced_security_group_id == aws_security_group.endpoints.id && aws_vpc_security_group_egress_rule.model_to_s3.prefix_list_id == aws_vpc_endpoint.s3.prefix_list_id
    error_message = "The model may talk to something else than endpoints."
  }

  assert {
    condition     = alltrue([for rule in [aws_vpc_security_group_egress_rule.model_to_endpoints, aws_vpc_security_group_egress_rule.model_to_s3, aws_vpc_security_group_ingress_rule.endpoints_from_model, aws_vpc_security_group_ingress_rule.endpoints_from_callers["shop"]] : rule.ip_protocol == "tcp" && rule.from_port == 443 && rule.to_port == 443])
    error_message = "A rule allows more than HTTPS."
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.endpoints_from_callers["shop"].referenced_security_group_id == "sg-0123456789abcdef0"
    error_message = "Callers do not reach the endpoints."
  }

  assert {
    condition     = aws_flow_log.this.traffic_type == "ALL" && aws_cloudwatch_log_group.flow.retention_in_days == 30 && aws_cloudwatch_log_group.flow.kms_key_id == var.kms_key_arn
    error_message = "Traffic is not logged, encrypted and for 30 days."
  }
}

# No way to the internet, whatever a group or a route may say: there is nothing that leads there.
run "there_is_no_way_out" {
  command = plan

  assert {
    condition     = !can(regex("aws_(internet_gateway|egress_only_internet_gateway|nat_gateway|eip|vpc_peering_connection|route)\"|0[.]0[.]0[.]0/0|::/0", file("${path.module}/main.tf")))
    error_message = "The VPC has a way out."
  }
}

run "endpoints_let_through_what_the_model_does_and_nothing_else" {
  module {
    source = "../../tests/iam"
  }

  variables {
    resource = [for policy in values(run.made.endpoint_policies) : policy]
    allowed = {
      a_blob        = { caller = "own", action = "s3:GetObject", target = "arn:aws:s3:::acme-models/prod/blobs/sha256/ab" }
      the_log       = { caller = "own", action = "s3:ListBucket", target = "arn:aws:s3:::acme-models" }
      the_key       = { caller = "own", action = "secretsmanager:GetSecretValue", target = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:faces/kek-AbCdEf" }
      a_layer       = { caller = "stranger", action = "s3:GetObject", target = "arn:aws:s3:::prod-eu-central-1-starport-layer-bucket/a" }
      an_invocation = { caller = "own", action = "sagemaker:InvokeEndpoint", target = "arn:aws:sagemaker:eu-central-1:111122223333:endpoint/faces" }
      a_log_line    = { caller = "own", action = "logs:PutLogEvents", target = "arn:aws:logs:eu-central-1:111122223333:log-group:/aws/sagemaker/Endpoints/faces:log-stream:a" }
      an_identity   = { caller = "own", action = "sts:GetCallerIdentity", target = "arn:aws:iam::111122223333:role/faces-execution" }
    }
    refused = {
      a_thief_carries_data_off    = { caller = "stranger", action = "s3:PutObject", target = "arn:aws:s3:::thiefs-bucket/a" }
      data_into_another_bucket    = { caller = "own", action = "s3:PutObject", target = "arn:aws:s3:::thiefs-bucket/a" }
      a_bucket_of_that_prefix     = { caller = "own", action = "s3:GetObject", target = "arn:aws:s3:::acme-models-staging/a" }
      with_brought_credentials    = { caller = "stranger", action = "s3:GetObject", target = "arn:aws:s3:::acme-models/prod/blobs/sha256/ab" }
      a_stranger_asks_for_the_key = { caller = "stranger", action = "secretsmanager:GetSecretValue", target = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:faces/kek-AbCdEf" }
      a_stranger_calls            = { caller = "stranger", action = "sagemaker:InvokeEndpoint", target = "arn:aws:sagemaker:eu-central-1:111122223333:endpoint/faces" }
      another_secret              = { caller = "own", action = "secretsmanager:GetSecretValue", target = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:staging/kek-AbCdEf" }
      a_thiefs_secret             = { caller = "stranger", action = "secretsmanager:PutSecretValue", target = "arn:aws:secretsmanager:eu-central-1:999999999999:secret:loot-AbCdEf" }
      another_endpoint            = { caller = "own", action = "sagemaker:InvokeEndpoint", target = "arn:aws:sagemaker:eu-central-1:111122223333:endpoint/other" }
      a_role_of_others            = { caller = "own", action = "sts:AssumeRole", target = "arn:aws:iam::999999999999:role/thief" }
      another_accounts_key        = { caller = "own", action = "kms:GenerateDataKey", target = "arn:aws:kms:eu-central-1:999999999999:key/1" }
      another_accounts_log        = { caller = "own", action = "logs:PutLogEvents", target = "arn:aws:logs:eu-central-1:999999999999:log-group:/aws/sagemaker/a:log-stream:a" }
      pushing_an_image            = { caller = "own", action = "ecr:PutImage", target = "arn:aws:ecr:eu-central-1:111122223333:repository/strongroom" }
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
    policies = run.made.endpoint_policies
  }

  assert {
    condition     = length(output.wide) == 0 && output.statements == 13
    error_message = "${output.statements} statements, and: ${join("\n", output.wide)}"
  }
}

run "a_model_needs_one_interface_endpoint" {
  variables {
    services = ["secretsmanager"]
  }

  assert {
    condition     = keys(aws_vpc_endpoint.interface) == ["secretsmanager"] && !strcontains(aws_vpc_endpoint.s3.policy, "starport")
    error_message = "There are other endpoints."
  }
}

run "a_model_cannot_do_without_it" {
  command = plan

  variables {
    services = ["sts"]
  }

  expect_failures = [var.services]
}

run "a_range_is_private" {
  command = plan

  variables {
    cidr_block = "8.8.0.0/20"
  }

  expect_failures = [var.cidr_block]
}

run "one_zone_is_too_few" {
  command = plan

  variables {
    availability_zones = ["eu-central-1a"]
  }

  expect_failures = [var.availability_zones]
}

run "a_bucket_has_no_wildcard" {
  command = plan

  variables {
    bucket_arns = ["arn:aws:s3:::acme-*"]
  }

  expect_failures = [var.bucket_arns]
}

run "a_secret_has_no_wildcard" {
  command = plan

  variables {
    secret_arns = ["arn:aws:secretsmanager:eu-central-1:111122223333:secret:*"]
  }

  expect_failures = [var.secret_arns]
}

run "an_endpoint_has_no_wildcard" {
  command = plan

  variables {
    endpoint_names = ["*"]
  }

  expect_failures = [var.endpoint_names]
}

run "a_caller_is_a_security_group" {
  command = plan

  variables {
    caller_security_group_ids = { shop = "0.0.0.0/0" }
  }

  expect_failures = [var.caller_security_group_ids]
}

run "a_name_fits_the_names_made_of_it" {
  command = plan

  variables {
    name = "Faces"
  }

  expect_failures = [var.name]
}

run "a_key_is_no_alias" {
  command = plan

  variables {
    kms_key_arn = "alias/logs"
  }

  expect_failures = [var.kms_key_arn]
}

run "a_log_is_kept_a_month" {
  command = plan

  variables {
    log_retention_days = 7
  }

  expect_failures = [var.log_retention_days]
}
