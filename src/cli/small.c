/* The small commands: version, keys, completion. */
#include <stdio.h>

#include "base/text.h"
#include "cli/cli.h"
#include "platform/entropy.h"
#include "security/key.h"

int cmd_version(const struct cli_command *command, const struct cli_options *options) {
    (void)command;
    if (options->json)
        printf("{\"name\":\"intertie\",\"version\":\"" INTERTIE_VERSION "\"}\n");
    else
        printf("intertie " INTERTIE_VERSION "\n");
    return CLI_DONE;
}

int cmd_keys(const struct cli_command *command, const struct cli_options *options) {
    (void)command;
    const char *verb = options->argument_count ? options->arguments[0] : "";
    if (strcmp(verb, "list") == 0 || strcmp(verb, "rotate") == 0)
        return cli_fail(options, CLI_FAILED, "not-supported", "`keys %s` is not supported yet in " INTERTIE_VERSION, verb);
    if (strcmp(verb, "new") != 0 || options->argument_count != 2)
        return cli_fail(options, CLI_USAGE, "usage", "write `intertie keys new IDENTITY`");
    struct slice name = slice_from(options->arguments[1]);
    if (!text_is_name(name))
        return cli_fail(options, CLI_USAGE, "usage", "an identity's name is [a-z0-9][a-z0-9_-]{0,62}");
    uint8_t secret[KEY_SECRET_SIZE], hash[KEY_HASH_SIZE];
    char text[KEY_TEXT_SIZE];
    if (!entropy_fill(secret, sizeof secret))
        return cli_fail(options, CLI_FAILED, "internal", "no randomness on this host");
    key_make(secret, text);
    key_wipe(secret, sizeof secret);
    key_hash(slice_make(text, sizeof text), hash);
    struct buffer row;
    buffer_init(&row, 4096);
    key_row(&row, SLICE_OF("main"), hash);
    struct slice line = buffer_slice(&row);
    if (options->json) {
        printf("{\"identity\":\"%.*s\",\"key\":\"%.*s\",\"row\":\"", SLICE_ARG(name), (int)sizeof text, text);
        for (size_t i = 0; i < line.size; i++)
            printf(line.data[i] == '"' ? "\\\"" : "%c", line.data[i]);
        printf("\"}\n");
    } else {
        printf("%.*s\n", (int)sizeof text, text);
        fflush(stdout);
        if (!options->quiet)
            fprintf(stderr, "This key is shown once. Paste its hash into the configuration:\n\nsecurity:\n  identities:\n"
                            "    %.*s: {system: %.*s, keys: {%.*s}}\n",
                    SLICE_ARG(name), SLICE_ARG(name), SLICE_ARG(line));
    }
    key_wipe(text, sizeof text);
    buffer_done(&row);
    return CLI_DONE;
}

static void print_words(const char *between) {
    for (size_t i = 0; cli_commands[i].name; i++)
        printf("%s%s", i ? between : "", cli_commands[i].name);
}

static void print_options(const char *before, const char *between) {
    const char *const *names = cli_option_names();
    for (size_t i = 0; names[i]; i++)
        printf("%s%s%s", i ? between : "", before, names[i]);
}

int cmd_completion(const struct cli_command *command, const struct cli_options *options) {
    (void)command;
    const char *shell = options->argument_count ? options->arguments[0] : "";
    if (strcmp(shell, "bash") == 0) {
        printf("_intertie() {\n    local word=${COMP_WORDS[COMP_CWORD]}\n    if [ \"$COMP_CWORD\" = 1 ]; then\n"
               "        COMPREPLY=($(compgen -W '");
        print_words(" ");
        printf("' -- \"$word\"))\n    elif [[ $word == -* ]]; then\n        COMPREPLY=($(compgen -W '");
        print_options("--", " ");
        printf("' -- \"$word\"))\n    else\n        COMPREPLY=($(compgen -f -- \"$word\"))\n    fi\n}\n"
               "complete -o filenames -F _intertie intertie\n");
    } else if (strcmp(shell, "zsh") == 0) {
        printf("#compdef intertie\n_intertie() {\n    if (( CURRENT == 2 )); then\n        compadd ");
        print_words(" ");
        printf("\n    elif [[ $words[CURRENT] == -* ]]; then\n        compadd -- ");
        print_options("--", " ");
        printf("\n    else\n        _files\n    fi\n}\ncompdef _intertie intertie\n");
    } else if (strcmp(shell, "fish") == 0) {
        printf("complete -c intertie -n __fish_use_subcommand -f -a '");
        print_words(" ");
        printf("'\n");
        const char *const *names = cli_option_names();
        for (size_t i = 0; names[i]; i++)
            printf("complete -c intertie -l %s\n", names[i]);
    } else {
        return cli_fail(options, CLI_USAGE, "usage", "write `intertie completion bash`, zsh or fish");
    }
    return CLI_DONE;
}
