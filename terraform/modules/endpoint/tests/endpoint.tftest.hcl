mock_provider "aws" {
  source = "../../tests/aws"
}

variables {
  name      = "faces"
  image_uri = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/strongroom@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  registry  = "s3://acme-models/prod"
  model     = "face-analyzer"
  key       = "secretsmanager:arn:aws:secretsmanager:eu-central-1:111122223333:secret:faces/kek-AbCdEf"
  policies  = { registry = jsonencode({ Statement = [{ Sid = "Read", Effect = "Allow", Action = "s3:GetObject", Resource = "arn:aws:s3:::acme-models/prod/*" }] }) }

  rollback_alarms    = { faces-errors-5xx = "arn:aws:cloudwatch:eu-central-1:111122223333:alarm:faces-errors-5xx", faces-latency-p99 = "arn:aws:cloudwatch:eu-central-1:111122223333:alarm:faces-latency-p99" }
  subnet_ids         = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
  security_group_ids = ["sg-0123456789abcdef0"]
  kms_key_arn        = "arn:aws:kms:eu-central-1:111122223333:key/1"

  callers = {
    execution = "arn:aws:iam::111122223333:role/faces-execution"
    deployer  = "arn:aws:iam::111122223333:role/faces-publisher"
    far       = "arn:aws:iam::111122223333:role/far-publisher"
    shop      = "arn:aws:iam::111122223333:role/shop"
  }
}

run "made" {
  assert {
    condition = aws_sagemaker_model.this[0].primary_container[0].environment == tomap({
      STRONGROOM_KEY      = "secretsmanager:arn:aws:secretsmanager:eu-central-1:111122223333:secret:faces/kek-AbCdEf"
      STRONGROOM_MODEL    = "face-analyzer"
      STRONGROOM_REGISTRY = "s3://acme-models/prod"
      STRONGROOM_SANDBOX  = "auto"
    })
    error_message = "Environment: ${jsonencode(aws_sagemaker_model.this[0].primary_container[0].environment)}"
  }

  assert {
    condition     = toset(aws_sagemaker_model.this[0].vpc_config[0].subnets) == toset(var.subnet_ids) && toset(aws_sagemaker_model.this[0].vpc_config[0].security_group_ids) == toset(var.security_group_ids)
    error_message = "The model is not in the VPC."
  }

  assert {
    condition     = aws_sagemaker_model.this[0].primary_container[0].image == var.image_uri
    error_message = "The model is of another image."
  }

  assert {
    condition     = aws_sagemaker_endpoint_configuration.this[0].kms_key_arn == var.kms_key_arn
    error_message = "Volumes are not encrypted with the KMS key."
  }

  assert {
    condition     = aws_sagemaker_endpoint_configuration.this[0].production_variants[0].initial_instance_count == 2 && aws_sagemaker_endpoint_configuration.this[0].production_variants[0].instance_type == "ml.c6i.xlarge"
    error_message = "The fleet is another."
  }

  assert {
    condition     = aws_appautoscaling_target.this[0].min_capacity == 2 && aws_appautoscaling_target.this[0].max_capacity == 10 && aws_appautoscaling_target.this[0].resource_id == "endpoint/faces/variant/main"
    error_message = "Autoscaling is not from 2 to 10."
  }

  assert {
    condition     = aws_appautoscaling_policy.load[0].target_tracking_scaling_policy_configuration[0].predefined_metric_specification[0].predefined_metric_type == "SageMakerVariantInvocationsPerInstance" && aws_appautoscaling_policy.load[0].target_tracking_scaling_policy_configuration[0].target_value == 600
    error_message = "Autoscaling does not follow the requests."
  }

  assert {
    condition     = toset([for alarm in aws_sagemaker_endpoint.this[0].deployment_config[0].auto_rollback_configuration[0].alarms : alarm.alarm_name]) == toset(["faces-errors-5xx", "faces-latency-p99"])
    error_message = "The alarms do not roll a deployment back."
  }

  assert {
    condition     = [for routing in aws_sagemaker_endpoint.this[0].deployment_config[0].blue_green_update_policy[0].traffic_routing_configuration : [routing.type, routing.canary_size[0].type, routing.canary_size[0].value, routing.wait_interval_in_seconds]] == [["CANARY", "CAPACITY_PERCENT", 50, 600]]
    error_message = "Traffic does not move by a canary."
  }

  assert {
    condition     = jsondecode(aws_iam_role.execution.assume_role_policy).Statement[0].Principal == { Service = "sagemaker.amazonaws.com" } && jsondecode(aws_iam_role.execution.assume_role_policy).Statement[0].Condition.StringEquals["aws:SourceAccount"] == "111122223333"
    error_message = "Somebody else than this account's SageMaker takes the role on."
  }

  assert {
    condition     = toset(keys(aws_iam_role_policy.execution)) == toset(["platform", "registry"])
    error_message = "The role has other policies."
  }
}

run "roles_do_what_they_are_for_and_nothing_else" {
  module {
    source = "../../tests/iam"
  }

  variables {
    identity = {
      execution = [run.made.platform_policy]
      deployer  = [run.made.deploy_policy]
      shop      = [run.made.invoke_policy]
    }
    allowed = {
      writing_the_log        = { caller = "execution", action = "logs:PutLogEvents", target = "arn:aws:logs:eu-central-1:111122223333:log-group:/aws/sagemaker/Endpoints/faces:log-stream:main/i-1" }
      joining_the_network    = { caller = "execution", action = "ec2:CreateNetworkInterface", target = "arn:aws:ec2:eu-central-1:111122223333:subnet/subnet-0123456789abcdef0" }
      leaving_the_network    = { caller = "execution", action = "ec2:DeleteNetworkInterface", target = "arn:aws:ec2:eu-central-1:111122223333:network-interface/eni-1", context = { "ec2:Subnet" = "arn:aws:ec2:eu-central-1:111122223333:subnet/subnet-0123456789abcdef0" } }
      watching_an_alarm      = { caller = "execution", action = "cloudwatch:DescribeAlarms", target = "arn:aws:cloudwatch:eu-central-1:111122223333:alarm:faces-errors-5xx" }
      encrypting_a_volume    = { caller = "execution", action = "kms:CreateGrant", target = "arn:aws:kms:eu-central-1:111122223333:key/1", context = { "kms:GrantIsForAWSResource" = "true" } }
      a_new_configuration    = { caller = "deployer", action = "sagemaker:CreateEndpointConfig", target = "arn:aws:sagemaker:eu-central-1:111122223333:endpoint-config/faces-2" }
      moving_the_endpoint    = { caller = "deployer", action = "sagemaker:UpdateEndpoint", target = "arn:aws:sagemaker:eu-central-1:111122223333:endpoint/faces" }
      passing_the_role       = { caller = "deployer", action = "iam:PassRole", target = "arn:aws:iam::111122223333:role/made", context = { "iam:PassedToService" = "sagemaker.amazonaws.com" } }
      deploying_under_alarms = { caller = "deployer", action = "cloudwatch:DescribeAlarms", target = "arn:aws:cloudwatch:eu-central-1:111122223333:alarm:faces-errors-5xx" }
      deploying_encrypted    = { caller = "deployer", action = "kms:CreateGrant", target = "arn:aws:kms:eu-central-1:111122223333:key/1", context = { "kms:GrantIsForAWSResource" = "true" } }
      calling                = { caller = "shop", action = "sagemaker:InvokeEndpoint", target = "arn:aws:sagemaker:eu-central-1:111122223333:endpoint/faces" }
    }
    refused = {
      another_endpoints_log = { caller = "execution", action = "logs:PutLogEvents", target = "arn:aws:logs:eu-central-1:111122223333:log-group:/aws/sagemaker/Endpoints/other:log-stream:main/i-1" }
      a_log_without_an_end  = { caller = "execution", action = "logs:CreateLogGroup", target = "arn:aws:logs:eu-central-1:111122223333:log-group:/aws/sagemaker/Endpoints/faces" }
      another_subnet        = { caller = "execution", action = "ec2:CreateNetworkInterface", target = "arn:aws:ec2:eu-central-1:111122223333:subnet/subnet-other" }
      anothers_interface    = { caller = "execution", action = "ec2:DeleteNetworkInterface", target = "arn:aws:ec2:eu-central-1:111122223333:network-interface/eni-2", context = { "ec2:Subnet" = "arn:aws:ec2:eu-central-1:111122223333:subnet/subnet-other" } }
      a_grant_for_a_person  = { caller = "execution", action = "kms:CreateGrant", target = "arn:aws:kms:eu-central-1:111122223333:key/1", context = { "kms:GrantIsForAWSResource" = "false" } }
      opening_with_the_key  = { caller = "execution", action = "kms:Decrypt", target = "arn:aws:kms:eu-central-1:111122223333:key/1" }
      metrics_of_others     = { caller = "execution", action = "cloudwatch:PutMetricData", target = "*", context = { "cloudwatch:namespace" = "AWS/Billing" } }
      deploying_oneself     = { caller = "execution", action = "sagemaker:UpdateEndpoint", target = "arn:aws:sagemaker:eu-central-1:111122223333:endpoint/faces" }
      another_endpoint      = { caller = "deployer", action = "sagemaker:UpdateEndpoint", target = "arn:aws:sagemaker:eu-central-1:111122223333:endpoint/other" }
      removing_the_endpoint = { caller = "deployer", action = "sagemaker:DeleteEndpoint", target = "arn:aws:sagemaker:eu-central-1:111122223333:endpoint/faces" }
      passing_to_another    = { caller = "deployer", action = "iam:PassRole", target = "arn:aws:iam::111122223333:role/made", context = { "iam:PassedToService" = "ec2.amazonaws.com" } }
      passing_another_role  = { caller = "deployer", action = "iam:PassRole", target = "arn:aws:iam::111122223333:role/admin", context = { "iam:PassedToService" = "sagemaker.amazonaws.com" } }
      calling_another       = { caller = "shop", action = "sagemaker:InvokeEndpoint", target = "arn:aws:sagemaker:eu-central-1:111122223333:endpoint/other" }
    }
  }

  assert {
    condition     = length(output.wrong) == 0
    error_message = join("\n", output.wrong)
  }
}

run "long" {
  variables {
    name = "strongroom-production-eu"
  }
}

run "the_deployer_may_do_what_scripts_deploy_asks_for" {
  module {
    source = "../../tests/iam"
  }

  variables {
    root     = "arn:aws:sagemaker:eu-central-1:111122223333:"
    identity = { deployer = [run.made.deploy_policy], far = [run.long.deploy_policy] }
    allowed = {
      seeing_the_endpoint       = { caller = "deployer", action = "sagemaker:DescribeEndpoint", target = "endpoint/faces" }
      seeing_the_configuration  = { caller = "deployer", action = "sagemaker:DescribeEndpointConfig", target = "endpoint-config/faces-0123456789ab" }
      seeing_the_model          = { caller = "deployer", action = "sagemaker:DescribeModel", target = "model/faces-0123456789ab" }
      the_configurations_tags   = { caller = "deployer", action = "sagemaker:ListTags", target = "endpoint-config/faces-0123456789ab" }
      the_models_tags           = { caller = "deployer", action = "sagemaker:ListTags", target = "model/faces-0123456789ab" }
      what_it_made_before       = { caller = "deployer", action = "sagemaker:ListTags", target = "endpoint-config/faces-1-0-0-0123456789ab-20260102030405" }
      a_model                   = { caller = "deployer", action = "sagemaker:CreateModel", target = "model/faces-1-0-0-0123456789ab-20260102030405" }
      its_tags                  = { caller = "deployer", action = "sagemaker:AddTags", target = "model/faces-1-0-0-0123456789ab-20260102030405" }
      a_configuration           = { caller = "deployer", action = "sagemaker:CreateEndpointConfig", target = "endpoint-config/faces-1-0-0-0123456789ab-20260102030405" }
      the_configurations_own    = { caller = "deployer", action = "sagemaker:AddTags", target = "endpoint-config/faces-1-0-0-0123456789ab-20260102030405" }
      another_image_alone       = { caller = "deployer", action = "sagemaker:CreateModel", target = "model/faces-image-0123456789ab-20260102030405" }
      updating_the_endpoint     = { caller = "deployer", action = "sagemaker:UpdateEndpoint", target = "endpoint/faces" }
      to_the_new_configuration  = { caller = "deployer", action = "sagemaker:UpdateEndpoint", target = "endpoint-config/faces-1-0-0-0123456789ab-20260102030405" }
      under_alarms              = { caller = "deployer", action = "cloudwatch:DescribeAlarms", target = "arn:aws:cloudwatch:eu-central-1:111122223333:alarm:faces-latency-p99" }
      with_encrypted_volumes    = { caller = "deployer", action = "kms:CreateGrant", target = "arn:aws:kms:eu-central-1:111122223333:key/1", context = { "kms:GrantIsForAWSResource" = "true" } }
      as_the_execution_role     = { caller = "deployer", action = "iam:PassRole", target = "arn:aws:iam::111122223333:role/made", context = { "iam:PassedToService" = "sagemaker.amazonaws.com" } }
      a_name_that_fits          = { caller = "far", action = "sagemaker:CreateModel", target = "model/strongroom-production-eu-1-0-0-0123456789ab-20260102030405" }
      a_name_that_was_cut       = { caller = "far", action = "sagemaker:CreateModel", target = "model/strongroom-pro-10-20-30-rc-1-linux--0123456789ab-20260102030405" }
      tags_where_it_was_cut     = { caller = "far", action = "sagemaker:AddTags", target = "endpoint-config/strongroom-pro-10-20-30-rc-1-linux--0123456789ab-20260102030405" }
      reading_them_back         = { caller = "far", action = "sagemaker:ListTags", target = "endpoint-config/strongroom-pro-10-20-30-rc-1-linux--0123456789ab-20260102030405" }
      a_name_that_was_cut_a_bit = { caller = "far", action = "sagemaker:CreateEndpointConfig", target = "endpoint-config/strongroom-productio-1-0-0-alpha-10-0123456789ab-20260102030405" }
    }
    refused = {
      anothers_model          = { caller = "deployer", action = "sagemaker:CreateModel", target = "model/other-1-0-0-0123456789ab-20260102030405" }
      a_name_that_only_begins = { caller = "deployer", action = "sagemaker:CreateModel", target = "model/facesother-1-0-0-0123456789ab-20260102030405" }
      anothers_configuration  = { caller = "deployer", action = "sagemaker:CreateEndpointConfig", target = "endpoint-config/other-1-0-0-0123456789ab-20260102030405" }
      tags_of_anothers_model  = { caller = "deployer", action = "sagemaker:AddTags", target = "model/other-1-0-0-0123456789ab-20260102030405" }
      tags_of_the_endpoint    = { caller = "deployer", action = "sagemaker:AddTags", target = "endpoint/faces" }
      tags_of_a_notebook      = { caller = "deployer", action = "sagemaker:AddTags", target = "notebook-instance/faces-1" }
      reading_anothers_tags   = { caller = "deployer", action = "sagemaker:ListTags", target = "endpoint-config/other-0123456789ab" }
      removing_tags           = { caller = "deployer", action = "sagemaker:DeleteTags", target = "model/faces-0123456789ab" }
      seeing_anothers_model   = { caller = "deployer", action = "sagemaker:DescribeModel", target = "model/other-0123456789ab" }
      under_anothers_alarm    = { caller = "deployer", action = "cloudwatch:DescribeAlarms", target = "arn:aws:cloudwatch:eu-central-1:111122223333:alarm:other-latency-p99" }
      a_short_name_is_not_cut = { caller = "deployer", action = "sagemaker:CreateModel", target = "model/face-1-0-0-0123456789ab-20260102030405" }
      cut_and_not_of_deploy   = { caller = "far", action = "sagemaker:DescribeModel", target = "model/strongroom-production-us" }
      cut_too_far             = { caller = "far", action = "sagemaker:CreateModel", target = "model/strongroom-1-0-0-0123456789ab-20260102030405" }
      anothers_endpoint       = { caller = "far", action = "sagemaker:UpdateEndpoint", target = "endpoint/strongroom-production-us" }
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
      platform = run.made.platform_policy
      deploy   = run.made.deploy_policy
      invoke   = run.made.invoke_policy
    }
  }

  assert {
    condition     = length(output.wide) == 0 && output.statements == 13
    error_message = "${output.statements} statements, and: ${join("\n", output.wide)}"
  }
}

run "a_changed_setting_is_another_model_and_configuration" {
  variables {
    settings = { STRONGROOM_THREADS = "2" }
  }

  assert {
    condition     = aws_sagemaker_model.this[0].name != run.made.model_name && startswith(aws_sagemaker_model.this[0].name, "faces-")
    error_message = "The model has the same name, which SageMaker refuses."
  }

  assert {
    condition     = aws_sagemaker_model.this[0].primary_container[0].environment["STRONGROOM_THREADS"] == "2"
    error_message = "The setting does not reach the container."
  }
}

run "traffic_can_move_in_equal_steps" {
  variables {
    deployment = { type = "LINEAR", step_percent = 20 }
  }

  assert {
    condition     = aws_sagemaker_endpoint.this[0].deployment_config[0].blue_green_update_policy[0].traffic_routing_configuration[0].linear_step_size[0].value == 20
    error_message = "Traffic does not move in steps of 20 %."
  }

  assert {
    condition     = length(aws_sagemaker_endpoint.this[0].deployment_config[0].blue_green_update_policy[0].traffic_routing_configuration[0].canary_size) == 0
    error_message = "SageMaker refuses a canary beside it."
  }
}

run "before_there_is_an_image_there_is_the_role_only" {
  variables {
    image_uri = null
  }

  assert {
    condition     = length(aws_sagemaker_model.this) + length(aws_sagemaker_endpoint_configuration.this) + length(aws_sagemaker_endpoint.this) + length(aws_appautoscaling_target.this) == 0
    error_message = "An endpoint would fail to start."
  }

  assert {
    condition     = output.endpoint_name == null && output.execution_role_arn != null
    error_message = "There is no role."
  }
}

run "serverless" {
  variables {
    hosting            = "serverless"
    subnet_ids         = []
    security_group_ids = []
    rollback_alarms    = {}
    serverless         = { memory_mb = 3072, max_concurrency = 20 }
  }

  assert {
    condition     = [for size in aws_sagemaker_endpoint_configuration.this[0].production_variants[0].serverless_config : [size.memory_size_in_mb, size.max_concurrency]] == [[3072, 20]]
    error_message = "The endpoint is not serverless."
  }

  assert {
    condition     = aws_sagemaker_model.this[0].primary_container[0].environment["STRONGROOM_MAX_BODY_MB"] == "4"
    error_message = "The container does not know the platform's limit."
  }

  assert {
    condition     = length(aws_appautoscaling_target.this) + length(aws_sagemaker_endpoint.this[0].deployment_config) + length(aws_sagemaker_model.this[0].vpc_config) == 0
    error_message = "SageMaker refuses scaling, fleets and networks for it."
  }

  assert {
    condition     = !strcontains(output.platform_policy, "ec2:")
    error_message = "The role may join networks."
  }
}

run "asynchronous" {
  variables {
    hosting  = "asynchronous"
    capacity = { min = 0, max = 4, target = 5 }
    asynchronous = {
      output_uri  = "s3://acme-results/out/"
      failure_uri = "s3://acme-results/failed/"
      kms_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/2"
    }
  }

  assert {
    condition     = [for output in aws_sagemaker_endpoint_configuration.this[0].async_inference_config[0].output_config : [output.s3_output_path, output.s3_failure_path, output.kms_key_id]] == [["s3://acme-results/out/", "s3://acme-results/failed/", "arn:aws:kms:eu-central-1:111122223333:key/2"]]
    error_message = "Answers do not go where they should, encrypted."
  }

  assert {
    condition     = aws_sagemaker_model.this[0].primary_container[0].environment["STRONGROOM_DEADLINE_S"] == "3600" && aws_sagemaker_model.this[0].primary_container[0].environment["STRONGROOM_MAX_BODY_MB"] == "1024"
    error_message = "The container does not know the platform's limits."
  }

  assert {
    condition     = aws_appautoscaling_policy.load[0].target_tracking_scaling_policy_configuration[0].customized_metric_specification[0].metric_name == "ApproximateBacklogSizePerInstance"
    error_message = "Autoscaling does not follow the queue."
  }

  assert {
    condition     = aws_appautoscaling_target.this[0].min_capacity == 0 && aws_sagemaker_endpoint_configuration.this[0].production_variants[0].initial_instance_count == 1 && aws_cloudwatch_metric_alarm.first[0].metric_name == "HasBacklogWithoutCapacity"
    error_message = "Without instances nothing starts the first one."
  }

  assert {
    condition     = jsondecode(output.invoke_policy).Statement[0].Action == ["sagemaker:InvokeEndpointAsync"]
    error_message = "Callers may call in another way than the endpoint answers."
  }
}

run "batch_transform" {
  variables {
    hosting         = "batch-transform"
    rollback_alarms = {}
  }

  assert {
    condition     = length(aws_sagemaker_endpoint.this) == 0 && length(aws_sagemaker_endpoint_configuration.this) == 0 && output.model_name != null
    error_message = "A job wants a model and no endpoint."
  }

  assert {
    condition     = strcontains(output.platform_policy, "/aws/sagemaker/TransformJobs")
    error_message = "Jobs cannot write their log."
  }
}

run "multi_model" {
  variables {
    registry        = null
    model           = null
    multi_model_uri = "s3://acme-exports/models/"
  }

  assert {
    condition     = aws_sagemaker_model.this[0].primary_container[0].mode == "MultiModel" && aws_sagemaker_model.this[0].primary_container[0].model_data_url == "s3://acme-exports/models/"
    error_message = "The endpoint is not multi-model."
  }

  assert {
    condition     = toset(keys(aws_sagemaker_model.this[0].primary_container[0].environment)) == toset(["STRONGROOM_KEY", "STRONGROOM_SANDBOX"])
    error_message = "Environment: ${jsonencode(aws_sagemaker_model.this[0].primary_container[0].environment)}"
  }
}

run "an_image_is_named_by_its_digest" {
  command = plan

  variables {
    image_uri = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/strongroom:latest"
  }

  expect_failures = [var.image_uri]
}

run "one_instance_is_too_few" {
  command = plan

  variables {
    capacity = { min = 1 }
  }

  expect_failures = [var.capacity]
}

run "the_most_is_not_less_than_the_least" {
  command = plan

  variables {
    capacity = { min = 5, max = 4 }
  }

  expect_failures = [var.capacity]
}

run "instances_are_whole" {
  command = plan

  variables {
    capacity = { min = 2.5 }
  }

  expect_failures = [var.capacity]
}

run "a_deployment_without_an_alarm_is_refused" {
  command = plan

  variables {
    rollback_alarms = {}
  }

  expect_failures = [var.rollback_alarms]
}

run "volumes_are_encrypted_with_a_key_of_ones_own" {
  command = plan

  variables {
    kms_key_arn = null
  }

  expect_failures = [var.kms_key_arn]
}

run "a_disk_that_the_key_does_not_encrypt_is_refused" {
  command = plan

  variables {
    instance_type = "ml.c5d.xlarge"
  }

  expect_failures = [var.instance_type]
}

run "a_graphics_card_is_refused" {
  command = plan

  variables {
    instance_type = "ml.g5.xlarge"
  }

  expect_failures = [var.instance_type]
}

run "a_key_is_named_and_never_given" {
  command = plan

  variables {
    key = "dGhpcyBpcyBhIGtleSBvZiAzMiBieXRlcywgbm90IHRydWx5"
  }

  expect_failures = [var.key]
}

run "a_setting_is_one_of_ours" {
  command = plan

  variables {
    settings = { AWS_SECRET_ACCESS_KEY = "a" }
  }

  expect_failures = [var.settings]
}

run "a_setting_with_a_variable_is_set_by_it" {
  command = plan

  variables {
    settings = { STRONGROOM_KEY = "file:/opt/ml/key" }
  }

  expect_failures = [var.settings]
}

run "a_model_is_named" {
  command = plan

  variables {
    model = "Face Analyzer"
  }

  expect_failures = [var.model]
}

run "a_registry_is_in_s3" {
  command = plan

  variables {
    registry = "/srv/registry"
  }

  expect_failures = [var.registry]
}

run "a_serverless_endpoint_has_no_vpc" {
  command = plan

  variables {
    hosting = "serverless"
  }

  expect_failures = [var.subnet_ids]
}

run "one_subnet_is_too_few" {
  command = plan

  variables {
    subnet_ids = ["subnet-0123456789abcdef0"]
  }

  expect_failures = [var.subnet_ids]
}

run "a_model_in_a_vpc_has_a_security_group" {
  command = plan

  variables {
    security_group_ids = []
  }

  expect_failures = [var.security_group_ids]
}

run "an_unknown_hosting_is_refused" {
  command = plan

  # An unknown kind has no settings either; what is told is the variable.
  variables {
    hosting = "realtime"
  }

  expect_failures = [var.hosting]
}

run "asynchronous_answers_have_a_place" {
  command = plan

  variables {
    hosting = "asynchronous"
  }

  expect_failures = [var.asynchronous]
}

run "serverless_memory_comes_in_steps" {
  command = plan

  variables {
    serverless = { memory_mb = 1500 }
  }

  expect_failures = [var.serverless]
}

run "a_step_is_watched_as_long_as_alarms_look" {
  command = plan

  variables {
    deployment = { wait_s = 60 }
  }

  expect_failures = [var.deployment]
}

run "a_canary_is_at_most_half" {
  command = plan

  variables {
    deployment = { step_percent = 80 }
  }

  expect_failures = [var.deployment]
}

run "a_sandbox_is_strict_auto_or_off" {
  command = plan

  variables {
    sandbox = "on"
  }

  expect_failures = [var.sandbox]
}

run "models_of_many_lie_under_a_prefix" {
  command = plan

  variables {
    registry        = null
    model           = null
    multi_model_uri = "s3://acme-exports/models"
  }

  expect_failures = [var.multi_model_uri]
}

run "a_name_fits_the_names_made_of_it" {
  command = plan

  variables {
    name = "faces--analyzer"
  }

  expect_failures = [var.name]
}

run "a_variant_has_a_name" {
  command = plan

  variables {
    variant_name = "main variant"
  }

  expect_failures = [var.variant_name]
}

run "a_policy_is_json" {
  command = plan

  variables {
    policies = { registry = "read all" }
  }

  expect_failures = [var.policies]
}

run "a_start_has_an_end" {
  command = plan

  variables {
    startup_timeout_s = 7200
  }

  expect_failures = [var.startup_timeout_s]
}
