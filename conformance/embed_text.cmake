# cmake -DINPUT=file -DOUTPUT=file.cc -DHEADER=h -DNAMESPACE=ns -DFUNCTION=Name -P embed_text.cmake
# Writes a source that defines `std::string_view Function()` with the text of INPUT. The text is
# cut in pieces, since compilers limit the length of one literal.
file(READ ${INPUT} text)
set(pieces "")
string(LENGTH "${text}" length)
set(at 0)
while(at LESS length)
  string(SUBSTRING "${text}" ${at} 8000 piece)
  string(APPEND pieces "R\"EMBED(${piece})EMBED\"\n")
  math(EXPR at "${at} + 8000")
endwhile()
file(WRITE ${OUTPUT}
"// Made from ${NAME}.
#include \"${HEADER}\"

namespace ${NAMESPACE} {

std::string_view ${FUNCTION}() {
  return
${pieces};
}

}  // namespace ${NAMESPACE}
")
