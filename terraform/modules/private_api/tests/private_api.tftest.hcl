mock_provider "aws" {
  source = "../../tests/aws"
}

variables {
  name                      = "faces"
  endpoint_name             = "faces"
  vpc_id                    = "vpc-0123456789abcdef0"
  subnet_ids                = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
  caller_security_group_ids = { shop = "sg-0123456789abcdef0" }
  kms_key_arn               = "arn:aws:kms:eu-central-1:111122223333:key/1"

  callers = {
    shop     = "arn:aws:iam::111122223333:role/shop"
    clerk    = "arn:aws:iam::111122223333:role/clerk"
    stranger = "arn:aws:iam::999999999999:role/thief"
  }
}

run "made" {
  assert {
    condition     = tolist(aws_api_gateway_rest_api.this.endpoint_configuration[0].types) == tolist(["PRIVATE"]) && aws_api_gateway_method.invoke.authorization == "AWS_IAM"
    error_message = "The API can be called from outside, or by anybody."
  }

  assert {
    condition     = aws_wafv2_web_acl_association.this.resource_arn == aws_api_gateway_stage.live.arn && aws_wafv2_web_acl_association.this.web_acl_arn == aws_wafv2_web_acl.this.arn
    error_message = "The firewall does not stand before the API."
  }

  assert {
    condition     = [for rule in jsondecode(aws_wafv2_web_acl.this.rule_json) : rule.Name] == ["rate", "known-bad-inputs", "common"]
    error_message = "Rules: ${aws_wafv2_web_acl.this.rule_json}"
  }

  assert {
    condition     = jsondecode(aws_wafv2_web_acl.this.rule_json)[0].Statement.RateBasedStatement.Limit == 15000 && aws_api_gateway_method_settings.all.settings[0].throttling_rate_limit == 50
    error_message = "Requests have no bound."
  }

  assert {
    condition     = alltrue([for group in [aws_cloudwatch_log_group.access, aws_cloudwatch_log_group.waf] : group.retention_in_days == 30 && group.kms_key_id == var.kms_key_arn])
    error_message = "Logs are not kept encrypted, for 30 days."
  }

  assert {
    condition     = aws_api_gateway_method_settings.all.settings[0].data_trace_enabled == false && !can(regex("request.body|requestOverride", aws_api_gateway_stage.live.access_log_settings[0].format))
    error_message = "Bodies are logged."
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.callers["shop"].from_port == 443 && aws_vpc_security_group_ingress_rule.callers["shop"].referenced_security_group_id == "sg-0123456789abcdef0"
    error_message = "Others than callers reach the API."
  }
}

run "callers_call_from_their_network_only" {
  module {
    source = "../../tests/iam"
  }

  variables {
    root     = "arn:aws:execute-api:eu-central-1:111122223333:abcdefghij/live"
    identity = { shop = [run.made.caller_policy] }
    resource = [run.made.api_policy]
    allowed = {
      calling = { caller = "shop", action = "execute-api:Invoke", target = "/POST/invocations", context = { "aws:SourceVpce" = "vpce-0123456789abcdef0" } }
    }
    refused = {
      from_another_network = { caller = "shop", action = "execute-api:Invoke", target = "/POST/invocations", context = { "aws:SourceVpce" = "vpce-99999999999999999" } }
      from_the_internet    = { caller = "shop", action = "execute-api:Invoke", target = "/POST/invocations" }
      another_path         = { caller = "shop", action = "execute-api:Invoke", target = "/GET/other", context = { "aws:SourceVpce" = "vpce-0123456789abcdef0" } }
      another_account      = { caller = "stranger", action = "execute-api:Invoke", target = "/POST/invocations", context = { "aws:SourceVpce" = "vpce-0123456789abcdef0" } }
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
    policies = { api = run.made.api_policy, caller = run.made.caller_policy }
  }

  assert {
    condition     = length(output.wide) == 0 && output.statements == 2
    error_message = "${output.statements} statements, and: ${join("\n", output.wide)}"
  }
}

run "an_accounts_log_role_is_left_where_it_has_one" {
  variables {
    set_account_log_role = false
  }

  assert {
    condition     = length(aws_api_gateway_account.logs) + length(aws_iam_role.logs) == 0
    error_message = "The account's role would be replaced."
  }
}

run "a_vpc_is_named_by_its_id" {
  command = plan

  variables {
    vpc_id = "main"
  }

  expect_failures = [var.vpc_id]
}

run "one_subnet_is_too_few" {
  command = plan

  variables {
    subnet_ids = ["subnet-0123456789abcdef0"]
  }

  expect_failures = [var.subnet_ids]
}

run "a_caller_is_a_security_group" {
  command = plan

  variables {
    caller_security_group_ids = { all = "0.0.0.0/0" }
  }

  expect_failures = [var.caller_security_group_ids]
}

run "requests_have_a_bound" {
  command = plan

  variables {
    requests_per_second = 0
  }

  expect_failures = [var.requests_per_second]
}

run "a_stage_is_a_part_of_a_path" {
  command = plan

  variables {
    stage = "live/v1"
  }

  expect_failures = [var.stage]
}

run "a_name_fits_the_names_made_of_it" {
  command = plan

  variables {
    name = "Faces"
  }

  expect_failures = [var.name]
}

run "an_endpoint_has_a_name" {
  command = plan

  variables {
    endpoint_name = "*"
  }

  expect_failures = [var.endpoint_name]
}

run "a_key_is_no_alias" {
  command = plan

  variables {
    kms_key_arn = "alias/logs"
  }

  expect_failures = [var.kms_key_arn]
}
