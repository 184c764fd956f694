mock_provider "aws" {
  source = "../../tests/aws"
}

variables {
  name       = "faces-github"
  repository = "acme/faces"
  policies   = { registry = jsonencode({ Statement = [{ Sid = "Read", Effect = "Allow", Action = "s3:GetObject", Resource = "arn:aws:s3:::acme-models/prod/*" }] }) }

  callers = {
    github = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"
    gitlab = "arn:aws:iam::111122223333:oidc-provider/gitlab.com"
  }
}

run "made" {
  assert {
    condition     = aws_iam_openid_connect_provider.github[0].url == "https://token.actions.githubusercontent.com" && toset(aws_iam_openid_connect_provider.github[0].client_id_list) == toset(["sts.amazonaws.com"])
    error_message = "The provider is not GitHub's, for AWS."
  }

  assert {
    condition     = jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"] == ["repo:acme/faces:environment:production"]
    error_message = "The subject is not pinned: ${aws_iam_role.this.assume_role_policy}"
  }

  assert {
    condition     = keys(jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Condition) == ["StringEquals"]
    error_message = "The subject is compared by a pattern."
  }

  assert {
    condition     = aws_iam_role.this.max_session_duration == 3600
    error_message = "A session outlives its workflow by hours."
  }

  assert {
    condition     = tomap(output.policies) == var.policies
    error_message = "The role has not the policy it was given."
  }
}

run "only_the_pinned_workflow_takes_the_role_on" {
  module {
    source = "../../tests/iam"
  }

  variables {
    root     = "arn:aws:iam::111122223333:role/faces-github"
    resource = [run.made.trust_policy]
    context  = { "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com" }
    allowed = {
      production = { caller = "github", action = "sts:AssumeRoleWithWebIdentity", target = "", context = { "token.actions.githubusercontent.com:sub" = "repo:acme/faces:environment:production" } }
    }
    refused = {
      another_environment = { caller = "github", action = "sts:AssumeRoleWithWebIdentity", target = "", context = { "token.actions.githubusercontent.com:sub" = "repo:acme/faces:environment:staging" } }
      a_pull_request      = { caller = "github", action = "sts:AssumeRoleWithWebIdentity", target = "", context = { "token.actions.githubusercontent.com:sub" = "repo:acme/faces:pull_request" } }
      a_branch            = { caller = "github", action = "sts:AssumeRoleWithWebIdentity", target = "", context = { "token.actions.githubusercontent.com:sub" = "repo:acme/faces:ref:refs/heads/main" } }
      another_repository  = { caller = "github", action = "sts:AssumeRoleWithWebIdentity", target = "", context = { "token.actions.githubusercontent.com:sub" = "repo:acme/faces-fork:environment:production" } }
      another_owner       = { caller = "github", action = "sts:AssumeRoleWithWebIdentity", target = "", context = { "token.actions.githubusercontent.com:sub" = "repo:evil/faces:environment:production" } }
      no_subject          = { caller = "github", action = "sts:AssumeRoleWithWebIdentity", target = "" }
      another_audience    = { caller = "github", action = "sts:AssumeRoleWithWebIdentity", target = "", context = { "token.actions.githubusercontent.com:sub" = "repo:acme/faces:environment:production", "token.actions.githubusercontent.com:aud" = "other" } }
      another_provider    = { caller = "gitlab", action = "sts:AssumeRoleWithWebIdentity", target = "", context = { "token.actions.githubusercontent.com:sub" = "repo:acme/faces:environment:production" } }
    }
  }

  assert {
    condition     = length(output.wrong) == 0
    error_message = join("\n", output.wrong)
  }
}

run "an_accounts_provider_is_used_where_it_has_one" {
  variables {
    create_provider = false
  }

  assert {
    condition     = length(aws_iam_openid_connect_provider.github) == 0 && output.provider_arn == "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"
    error_message = "The provider is ${output.provider_arn}."
  }
}

run "a_repository_has_no_wildcard" {
  command = plan

  variables {
    repository = "acme/*"
  }

  expect_failures = [var.repository]
}

run "a_subject_has_no_wildcard" {
  command = plan

  variables {
    subjects = ["ref:refs/heads/*"]
  }

  expect_failures = [var.subjects]
}

run "a_pull_request_is_no_subject" {
  command = plan

  variables {
    subjects = ["environment:production", "pull_request"]
  }

  expect_failures = [var.subjects]
}

run "there_is_a_subject" {
  command = plan

  variables {
    subjects = []
  }

  expect_failures = [var.subjects]
}

run "a_name_is_a_roles" {
  command = plan

  variables {
    name = "faces github"
  }

  expect_failures = [var.name]
}

run "a_policy_is_json" {
  command = plan

  variables {
    policies = { all = "Allow all" }
  }

  expect_failures = [var.policies]
}
