# Takes out of demisto-sdk's output what means nothing here: the marks of colours it does not print, its progress, and advice
# about the pull requests of its own repository. All findings and errors pass through.
#
# usage: demisto-sdk … | sed -E -f tools/plain_sdk.sed          (with DEMISTO_SDK_LOG_NO_COLORS=true)

s#</?(bold|dim|black|red|green|yellow|blue|magenta|cyan|white|light-[a-z]+)>##g
/^[[:space:]]*$/d

# What it is about to do.
/^Running validation on all files\.$/d
/^Starting validate items\.$/d
/^Starting secrets detection$/d
/^=+ Running on branch work =+$/d
/^Running against origin\/master$/d
/^Running on committed and staged files$/d
# Lists of all files, on the line that follows.
/^#+ - Added committed:$/{
N
d
}
/^Running on related files:$/{
N
d
}
# Every Python file has a yml of its name, it believes.
/^Invalid content path provided: Packs\/[^ ]*\/(conftest|stand_ins)\.yml\. /d
# A file of its own repository.
/^Couldn't find the landing_page file in path /d
/\/Tests\/Marketplace\/landingPage_sections\.json$/d

# Advice that it gives with or without errors; the codes it names are those of the findings above it.
/^Validate summary$/d
/^The following errors were thrown as a part of this pr: \.$/d
/^If the AG100 validation in the pre-commit GitHub Action fails, /d
/^Please note that the PR can be force merged from the validation perspective\.$/d
/^Note that the following errors cannot be force merged and therefore must be handled: /d
/^#+$/d
