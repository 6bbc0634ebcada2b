using Xunit;
using Forebay.Core;

namespace Forebay.Core.Tests;

public sealed class ObjectHeadersTests
{
    [Fact]
    public void EmptyHeadersHaveMetadataThatIsEmptyAndNotNull()
        => Assert.Empty(ObjectHeaders.Empty.UserMetadata);
}
