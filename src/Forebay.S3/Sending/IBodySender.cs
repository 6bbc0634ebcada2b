using Forebay.Core;
using Forebay.Engine;
using Microsoft.AspNetCore.Http;

namespace Forebay.S3.Sending;

/// <summary>
/// Sends bytes of an object as (a piece of) the body of a response.
/// </summary>
internal interface IBodySender
{
    /// <summary>Sends a range.</summary>
    /// <param name="context">Status and headers (with the content length of the whole body) are set and, in the first call, not sent.</param>
    /// <param name="reader">Open reader; not disposed here.</param>
    /// <param name="range">Bytes to send, not empty, inside the object. One response may need several calls with adjoining ranges.</param>
    /// <param name="cancellationToken">The client is gone.</param>
    /// <returns>A task that ends when the bytes are handed to the transport.</returns>
    /// <remarks>
    /// The response must not be started before the first byte of the range is there: an error until then is answered to the client, or
    /// the object is opened anew. Later errors are thrown too, and the caller aborts the connection.
    /// </remarks>
    ValueTask SendAsync(HttpContext context, IObjectReader reader, ByteRange range, CancellationToken cancellationToken);
}
