using Forebay.Core;
using Forebay.Engine;
using Forebay.S3.Transport;

namespace Forebay.S3.Sending;

/// <summary>Sends the body of a GET: chooses the connection's sender, paces it and counts its bytes.</summary>
internal static class ObjectBody
{
    /// <summary>Bytes sent between two looks at the counters when nothing is paced.</summary>
    private const long SliceBytes = 64L << 20;

    public static async ValueTask SendAsync(S3Request request, IObjectReader reader, ByteRange range, CancellationToken cancellationToken)
    {
        // Asked for each request: it depends on the connection's transport and on the response (TLS, chunked).
        IBodySender sender = SendfileBody.IsAvailable(request.Http) ? SendfileBodySender.Instance : CopyBodySender.Instance;
        IEgressGate? egress = request.Endpoint.Egress;
        object? connection = egress is null ? null : request.Http.Features.Get<EgressFeature>()?.Connection ?? egress.Connect();
        long offset = range.Offset;
        while (offset < range.End)
        {
            long size = Math.Min(range.End - offset, SliceBytes);
            if (egress is not null)
            {
                size = await egress.AcquireAsync(connection!, request.Identity.AccessKeyId, size, cancellationToken);
            }

            await sender.SendAsync(request.Http, reader, new ByteRange(offset, size), cancellationToken);
            request.Endpoint.Counters.BytesSent(size);
            offset += size;
        }
    }
}
