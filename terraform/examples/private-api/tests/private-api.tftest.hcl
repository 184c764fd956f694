mock_provider "aws" {
  source = "../../tests/aws"
}

override_resource {
  target = module.private_api.aws_security_group.callers
  values = { id = "sg-0123456789abcde00" }
}

variables {
  region                    = "eu-central-1"
  endpoint_name             = "strongroom"
  vpc_id                    = "vpc-0123456789abcdef0"
  subnet_ids                = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
  callers_security_group_id = "sg-0123456789abcdef0"
  kms_key_arn               = "arn:aws:kms:eu-central-1:111122223333:key/1"
}

run "made" {
  assert {
    condition     = output.url == "https://abcdefghij.execute-api.eu-central-1.amazonaws.com/live/invocations"
    error_message = "The URL is ${output.url}."
  }

  assert {
    condition     = aws_vpc_security_group_egress_rule.callers.referenced_security_group_id == module.private_api.security_group_id
    error_message = "Callers do not reach the API."
  }
}
