#include "fixtures.hpp"

namespace conformance {

/// All fixtures as one plugin.
struct Fixtures : Content, Notifications, Questions, InputRequired, Changes, Resources, Prompts {
  explicit Fixtures(toolhost::Host& host) : Changes(host) {}
};

}  // namespace conformance

using conformance::Fixtures;

TH_PLUGIN(
    Fixtures, "conformance", "Conformance fixtures", "1.0.0",
    // Blocks of content
    tool<&Fixtures::simple_text>("test_simple_text").description("Returns text.").read_only().non_blocking(),
    tool<&conformance::Content::image>("test_image_content").description("Returns a picture.").read_only(),
    tool<&Fixtures::embedded_resource>("test_embedded_resource").description("Returns a resource.").read_only(),
    tool<&Fixtures::mixed>("test_multiple_content_types").description("Returns blocks of three kinds.").read_only(),
    tool<&conformance::Content::error>("test_error_handling").description("Always fails.").read_only(),
    // What precedes a result
    tool<&Fixtures::logging>("test_tool_with_logging").description("Logs three times.").read_only(),
    tool<&Fixtures::logging>("test_logging_tool").description("The same, for requests that want no log.").read_only(),
    tool<&Fixtures::progress>("test_tool_with_progress").description("Tells how far it is.").read_only(),
    tool<&Fixtures::reconnection>("test_reconnection").description("Lets go of its connection.").read_only(),
    // Questions
    tool<&conformance::Questions::sampling>("test_sampling").description("Asks the model.").read_only(),
    tool<&conformance::Questions::elicitation>("test_elicitation").description("Asks the person.").read_only(),
    tool<&Fixtures::defaults>("test_elicitation_sep1034_defaults").description("A form with defaults.").read_only(),
    tool<&Fixtures::enums>("test_elicitation_sep1330_enums").description("A form with choices.").read_only(),
    tool<&conformance::InputRequired::elicitation>("test_input_required_result_elicitation")
        .description("Asks for a name.")
        .read_only(),
    tool<&conformance::InputRequired::sampling>("test_input_required_result_sampling")
        .description("Asks the model for a capital.")
        .read_only(),
    tool<&Fixtures::list_roots>("test_input_required_result_list_roots").description("Asks for roots.").read_only(),
    tool<&Fixtures::request_state>("test_input_required_result_request_state")
        .description("Asks, and says whether its state came back.")
        .read_only(),
    tool<&Fixtures::multiple_inputs>("test_input_required_result_multiple_inputs")
        .description("Asks three things at once.")
        .read_only(),
    tool<&Fixtures::multi_round>("test_input_required_result_multi_round").description("Asks twice.").read_only(),
    tool<&Fixtures::tampered_state>("test_input_required_result_tampered_state")
        .description("Asks; a state that was tampered with never gets here.")
        .read_only(),
    tool<&Fixtures::capabilities>("test_input_required_result_capabilities")
        .description("Asks what the client can be asked.")
        .read_only(),
    tool<&Fixtures::missing_capability>("test_missing_capability").description("Needs a model.").read_only(),
    tool<&Fixtures::streaming_elicitation>("test_streaming_elicitation")
        .description("Tells how far it is, and asks.")
        .read_only(),
    // Changes and headers
    tool<&Fixtures::tools>("test_trigger_tool_change").description("Announces that the tools changed."),
    tool<&Fixtures::prompts>("test_trigger_prompt_change").description("Announces that the prompts changed."),
    tool<&Fixtures::watched_resource>("test_trigger_resource_update").description("Announces that a resource changed."),
    tool<&Fixtures::custom_header>("test_custom_header")
        .description("Takes an argument that HTTP clients repeat in a header.")
        .read_only(),
    // Resources
    resource<&Fixtures::read_text>("test://static-text", "static-text").title("A text").mime_type("text/plain"),
    resource<&Fixtures::read_binary>("test://static-binary", "static-binary")
        .description("A picture")
        .mime_type("image/png"),
    resource<&Fixtures::read_watched>("test://watched-resource", "watched-resource").mime_type("text/plain"),
    resource_template<&Fixtures::read_template, &Fixtures::complete_id>("test://template/{id}/data", "template-data")
        .description("Data by id")
        .mime_type("application/json"),
    // Prompts
    prompt<&Fixtures::simple>("test_simple_prompt").description("A prompt without arguments."),
    prompt<&Fixtures::with_arguments, &Fixtures::complete_argument>("test_prompt_with_arguments")
        .description("A prompt with two arguments."),
    prompt<&Fixtures::with_embedded_resource>("test_prompt_with_embedded_resource")
        .description("A prompt with a resource in it."),
    prompt<&Fixtures::with_image>("test_prompt_with_image").description("A prompt with a picture."),
    prompt<&Fixtures::input_required>("test_input_required_result_prompt").description("A prompt that asks first."))
