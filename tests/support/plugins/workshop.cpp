#include <toolhost/plugin.hpp>

#include <string>

/// What plugins do beyond their database: secrets.
class Workshop {
 public:
  struct Name {
    std::string name;
  };
  struct Text {
    std::string text;
  };
  Text use_secret(toolhost::Call& call, const Name& in) {
    const auto secret = std::string(call.secret(in.name));
    call.log(TH_LOG_WARN, "used " + secret);
    return {secret};
  }
};
TH_FIELDS(Workshop::Name, field("name", &Workshop::Name::name, ""))
TH_FIELDS(Workshop::Text, field("text", &Workshop::Text::text, ""))

TH_PLUGIN(Workshop, "workshop", "Workshop", "1.0.0",
          tool<&Workshop::use_secret>("use_secret").description("Gives away a secret."))
